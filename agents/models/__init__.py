"""The tables of this app, a module for each room."""

from agents.models.registry import Agent, AgentHealth, AgentVersion
from agents.models.tools import Policy, PolicyEpoch, PolicyVersion, Revocation, Tool, ToolUse, ToolVersion

__all__ = [
    "Agent",
    "AgentHealth",
    "AgentVersion",
    "Policy",
    "PolicyEpoch",
    "PolicyVersion",
    "Revocation",
    "Tool",
    "ToolUse",
    "ToolVersion",
]
