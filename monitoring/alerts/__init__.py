"""Alerts: rules over what is counted, what they raise, who is told, and what is done about it.

`inputs` lists what a rule may look at, `counting` keeps those numbers, `evaluation` looks once a second, `raising` and
`handling` are the only writers of alerts, `oncall` says whose turn it is, `runbooks` holds what to do.
"""
