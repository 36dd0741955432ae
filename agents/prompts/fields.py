"""Prompt templates with declared variables: `{field}` and nothing else, so no value can run anything. No Django."""

import string
from collections.abc import Mapping

import orjson

from agents.errors import InvalidRegistration
from agents.types import Json


class PromptTemplate:
    """Text with `{field}` places. `{{` and `}}` are literal braces."""

    def __init__(self, source: str) -> None:
        try:
            self._parts = list(string.Formatter().parse(source))
        except ValueError as error:
            raise InvalidRegistration(name=source[:40], problem=f"its prompt is not a template ({error})") from error
        for _, field, form, conversion in self._parts:
            if field is not None and (form or conversion or not field.isidentifier()):
                problem = f"its prompt may only name input fields, not {{{field}}}; write {{field}}"
                raise InvalidRegistration(name=source[:40], problem=problem)
        self.variables = frozenset(field for _, field, _, _ in self._parts if field is not None)

    def fill(self, values: Mapping[str, Json]) -> str:
        """The text with each field's value: strings as they are, everything else as JSON, absent ones as nothing."""
        return "".join(text + self._value(field, values) for text, field, _, _ in self._parts)

    def _value(self, field: str | None, values: Mapping[str, Json]) -> str:
        value = values.get(field, "") if field is not None else ""
        return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
