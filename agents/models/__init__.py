"""The tables of this app, a module for each room."""

from agents.models.evaluation import Dataset, DatasetCase, Evaluation, EvaluationCase, EvaluationItem
from agents.models.quality import Assessment, AuthorityTable, Calibration
from agents.models.registry import Agent, AgentHealth, AgentVersion

__all__ = [
    "Agent", "AgentHealth", "AgentVersion", "Assessment", "AuthorityTable", "Calibration", "Dataset", "DatasetCase",
    "Evaluation", "EvaluationCase", "EvaluationItem",
]  # fmt: skip
