"""What a call reads and asks to be kept: `ctx.state` (of its run), `ctx.checkpoint`, `ctx.memory` (of its agent).

This module and `state`, `calls` know no Django; `store` keeps `ctx.memory` and its rules. See docs/memory.md.
"""

from agents.memory.calls import AgentMemory, Remembered
from agents.memory.state import AgentState, StateValue, checkpoint_given

__all__ = ["AgentMemory", "AgentState", "Remembered", "StateValue", "checkpoint_given"]
