"""The tables of this app, a module for each room."""

from agents.models.memory import MemoryItem
from agents.models.messages import BridgeHealth, Delivery, Expectation, Message, Outbound, Subscription
from agents.models.privacy import Consent, DataRule, Violation
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
__all__ = ["Agent", "AgentHealth", "AgentVersion", "Consent", "DataRule", "MemoryItem", "Violation"]
