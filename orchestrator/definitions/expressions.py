"""The expressions of definitions: CEL as `agents.expressions` runs it, with the variables of a run."""

from agents.expressions import (
    MAX_ITEMS,
    MAX_TEXT,
    MAX_WORK,
    Context,
    ExpressionError,
    ExpressionFailed,
    ExpressionInvalid,
    ExpressionUndefined,
    check,
    evaluate,
    holds,
    render_text,
    resolve,
    split,
    unwrap,
)

__all__ = [
    "MAX_ITEMS",
    "MAX_TEXT",
    "MAX_WORK",
    "Context",
    "ExpressionError",
    "ExpressionFailed",
    "ExpressionInvalid",
    "ExpressionUndefined",
    "check",
    "evaluate",
    "holds",
    "render_text",
    "resolve",
    "split",
    "unwrap",
]
