"""The tables of this app, a module for each room."""

from agents.models.memory import MemoryItem
from agents.models.privacy import Consent, DataRule, Violation
from agents.models.registry import Agent, AgentHealth, AgentVersion

__all__ = ["Agent", "AgentHealth", "AgentVersion", "Consent", "DataRule", "MemoryItem", "Violation"]
