"""The tables of this app, a module for each room."""

from agents.models.messages import BridgeHealth, Delivery, Expectation, Message, Outbound, Subscription
from agents.models.registry import Agent, AgentHealth, AgentVersion
from agents.models.tools import Policy, PolicyEpoch, PolicyVersion, Revocation, Tool, ToolUse, ToolVersion

__all__ = [
    "Agent",
    "AgentHealth",
    "AgentVersion",
    "BridgeHealth",
    "Delivery",
    "Expectation",
    "Message",
    "Outbound",
    "Policy",
    "PolicyEpoch",
    "PolicyVersion",
    "Revocation",
    "Subscription",
    "Tool",
    "ToolUse",
    "ToolVersion",
]
