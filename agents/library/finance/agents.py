"""What this package registers."""

from agents.library.finance import loan_agents, risk_agents

__all__ = ["loan_agents", "risk_agents"]
