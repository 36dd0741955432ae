"""What this package registers."""

from agents.library.business import brief_agents, diligence_agents, series

__all__ = ["brief_agents", "diligence_agents", "series"]
