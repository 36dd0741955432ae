"""Policies: which agent may call which tool on which data, under which condition, and what people approve first.

`documents` reads and checks a policy's YAML, `rules` decides by it, `store` keeps versions, `opa` asks another engine.
"""
