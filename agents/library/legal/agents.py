"""What this package registers."""

from agents.library.legal import contract_agents, regulation_agents

__all__ = ["contract_agents", "regulation_agents"]
