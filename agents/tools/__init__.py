"""Tools that agents call: registered with `@tool`, allowed by policies, limited, sandboxed, and sealed for people.

See docs/tools.md. `proxy` is the one way to call one.
"""
