"""The tables of this app, a module for each room."""

from agents.models.prompts import ModelCall, ModelTier, PartialText, Prompt, PromptEvidence, PromptVersion
from agents.models.registry import Agent, AgentHealth, AgentVersion

__all__ = [
    "Agent",
    "AgentHealth",
    "AgentVersion",
    "ModelCall",
    "ModelTier",
    "PartialText",
    "Prompt",
    "PromptEvidence",
    "PromptVersion",
]
