"""Which clauses of a condition hold: of `a || b` each that does, of `a && b` all. Worked out, never guessed."""

import re
from collections.abc import Mapping
from typing import Any, Final

from agents.expressions import source
from agents.types import Json
from orchestrator.definitions import expressions

MOST: Final = 12  # clauses that are told apart; a longer condition is told as a whole
_LONGEST: Final = 120  # characters of a value that is told
_PATH: Final = r"(?P<path>[A-Za-z_]\w*(?:\.\w+)*)"
_BOUND: Final = r"""(?P<bound>'[^'\\]*'|"[^"\\]*"|[^&|?<>=!]+)"""
_COMPARISON: Final = re.compile(rf"{_PATH}(?:\s*(?P<sign>==|!=|<=|>=|<|>|\bin\b)\s*{_BOUND})?")


def matched(rule: str, context: Mapping[str, Any]) -> tuple[dict[str, Json], ...]:
    """The clauses of a rule that hold on these values: `{clause}`, with `{name, sign, bound, value}` of a comparison.

    Empty when the rule is one clause that says it all ("true"), or when it does not hold. A clause that cannot be
    worked out is left out: CEL lets another one of its `||` decide.
    """
    text = expressions.unwrap(rule)
    found = [told for alternative in _split(text, "||") for told in _holding(alternative, context)]
    return tuple(found) if len(found) <= MOST else ()


def _holding(alternative: str, context: Mapping[str, Any]) -> list[dict[str, Json]]:
    """The clauses of one alternative, if all of it holds."""
    if alternative in {"true", "false"} or not _is_true(alternative, context):
        return []
    if len(inside := _split(alternative, "||")) > 1:  # it stood in brackets
        return [told for one in inside for told in _holding(one, context)]
    parts = _split(alternative, "&&")
    if len(parts) > 1:
        return [told for part in parts for told in _holding(part, context)]
    return [_told(alternative, context)]


def _is_true(text: str, context: Mapping[str, Any]) -> bool:
    try:
        return expressions.holds(text, context)
    except expressions.ExpressionError:
        return False


def _told(clause: str, context: Mapping[str, Any]) -> dict[str, Json]:
    found = _COMPARISON.fullmatch(clause)
    if found is None:
        return {"clause": clause}
    sign = found["sign"] or "=="  # a path alone is a condition that is true
    try:
        value = expressions.evaluate(found["path"], context)
        bound = expressions.evaluate(found["bound"], context) if found["bound"] else True
    except expressions.ExpressionError:
        return {"clause": clause}
    if not _is_short(value) or not (sign == "in" or _is_short(bound)):
        return {"clause": clause}
    told = {} if sign == "in" else {"bound": bound}  # the list stands in the clause
    return {"clause": clause, "name": found["path"].rpartition(".")[2], "sign": sign, "value": value, **told}


def _is_short(value: Json) -> bool:
    return isinstance(value, bool | int | float | str) and len(str(value)) <= _LONGEST


def _split(text: str, sign: str) -> list[str]:
    """The operands of a `||` or `&&` that stands outside all brackets; one part if a `?:` or `||` binds weaker."""
    text = _without_brackets(text.strip())
    depth, start, parts = 0, 0, list[str]()
    for token, at in source.signs(text):
        depth += (token in "([{") - (token in ")]}")
        if depth or token not in {"?", "||", sign}:
            continue
        if token != sign:
            return [text]
        parts.append(text[start:at].strip())
        start = at + len(sign)
    return [*parts, text[start:].strip()]


def _without_brackets(text: str) -> str:
    """The text without brackets around all of it."""
    while text.startswith("(") and text.endswith(")"):
        depth, closed = 0, 0
        for token, at in source.signs(text):
            depth += (token == "(") - (token == ")")
            closed = at
            if depth == 0:
                break
        if closed != len(text) - 1:
            return text
        text = text[1:-1].strip()
    return text
