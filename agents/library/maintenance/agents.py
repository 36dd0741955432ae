"""What this package registers."""

from agents.library.maintenance import maintenance_agents

__all__ = ["maintenance_agents"]
