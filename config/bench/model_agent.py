"""The agent of the workload `llm`: asks the bench's model server. Its imports cost too much for other workloads."""

from typing import Any, Final

from agents.budgets import AMPLE
from agents.llm import llm_agent

VARIABLE: Final = "BENCH_LLM_URL"
_TEXT: Final[dict[str, Any]] = {"type": "object", "properties": {"n": {"type": "integer"}}}
_LABEL: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}

llm_agent(
    "bench-llm",
    title="Asks a model",
    model=f"openai-compatible:stub@{VARIABLE}",
    instructions="Answer in JSON.",
    prompt="Label document {n}.",
    input=_TEXT,
    output=_LABEL,
    capabilities=["bench"],
    timeout=600,
    budget=AMPLE,
)
