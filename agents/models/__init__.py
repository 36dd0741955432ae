"""The tables of this app, a module for each room."""

from agents.models.evaluation import Dataset, DatasetCase, Evaluation, EvaluationCase, EvaluationItem
from agents.models.lifecycle import AgentItem, AgentRelease, Counted, QualityTarget, VersionMinute
from agents.models.memory import MemoryItem
from agents.models.messages import BridgeHealth, Delivery, Expectation, Message, Outbound, Subscription
from agents.models.privacy import Consent, DataRule, Violation
from agents.models.prompts import ModelCall, ModelHistory, ModelTier, PartialText, Prompt, PromptEvidence, PromptVersion
from agents.models.quality import Assessment, AuthorityTable, Calibration
from agents.models.registry import Agent, AgentHealth, AgentVersion
from agents.models.tools import (
    Policy,
    PolicyEpoch,
    PolicyVersion,
    Revocation,
    SecretVersion,
    Tool,
    ToolCall,
    ToolUse,
    ToolVersion,
)

__all__ = [
    "Agent",
    "AgentHealth",
    "AgentItem",
    "AgentRelease",
    "AgentVersion",
    "Assessment",
    "AuthorityTable",
    "BridgeHealth",
    "Calibration",
    "Consent",
    "Counted",
    "DataRule",
    "Dataset",
    "DatasetCase",
    "Delivery",
    "Evaluation",
    "EvaluationCase",
    "EvaluationItem",
    "Expectation",
    "MemoryItem",
    "Message",
    "ModelCall",
    "ModelHistory",
    "ModelTier",
    "Outbound",
    "PartialText",
    "Policy",
    "PolicyEpoch",
    "PolicyVersion",
    "Prompt",
    "PromptEvidence",
    "PromptVersion",
    "QualityTarget",
    "Revocation",
    "SecretVersion",
    "Subscription",
    "Tool",
    "ToolCall",
    "ToolUse",
    "ToolVersion",
    "VersionMinute",
    "Violation",
]
