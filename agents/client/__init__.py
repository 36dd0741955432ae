"""A small client for external workers. Knows no Django: copy this folder, or run `python -m agents.client`.

from agents.client import Ask, Worker, agent

@agent("refund", input={"type": "object"}, output={"type": "object"})
def refund(given, call):
    action = {"refund": given["amount"]}
    if call.approval(action) is None:
        raise Ask(action, reason="money leaves the house")
    return {"refunded": given["amount"]}

Worker("https://watchkeeper.example", token, agents=[refund]).run()
"""

from .api import Call, Client, Registration, Renewed, Standing
from .errors import Ask, Business, CallOver, Failure, Permanent, Refused, Transient
from .worker import Agent, Answer, Worker, agent

__all__ = [
    "Agent", "Answer", "Ask", "Business", "Call", "CallOver", "Client", "Failure", "Permanent", "Refused",
    "Registration", "Renewed", "Standing", "Transient", "Worker", "agent",
]  # fmt: skip
