"""Prompt templates in a small part of Jinja2: what they can cost is bounded before and while they run. No Django.

Allowed are `{{ name }}`, attributes, a few filters, `if` and `for`. Calls, assignments, macros, includes, arithmetic
and names with a leading underscore are refused when the template is compiled, so a value can never run anything, and
nothing can grow: text is only ever copied. Loops look at the clock with every turn.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from time import monotonic
from typing import Any, Final

import orjson
from django.utils.translation import gettext
from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.prompts.errors import PromptInvalid
from agents.types import Json

MAX_SOURCE: Final = 20_000  # characters
MAX_VALUES: Final = 262_144  # bytes of all values together, as JSON
MAX_TEXT: Final = 200_000  # characters of a rendered prompt
MAX_SECONDS: Final = 1.0

_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.CondExpr, nodes.Keyword, nodes.Tuple, nodes.Neg,
)  # fmt: skip
_TESTS: Final = {"defined", "undefined", "none", "string", "number", "mapping", "sequence", "true", "false"}


class TooSlow(TemplateError):
    """Rendering took longer than it may."""


def _join(value: Iterable[object], separator: str = "") -> str:
    """Join, but never more than a prompt may be long."""
    parts: list[str] = []
    size = 0
    for part in value:
        text = part if isinstance(part, str) else _shown(part)
        size += len(text) + len(separator)
        if size > MAX_TEXT:
            raise TooSlow(gettext("join gives more than %(max_text)s characters") % {"max_text": MAX_TEXT})
        parts.append(text)
    return separator.join(parts)


def _shown(value: object) -> str:
    """How a value stands in a prompt: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _finalize(value: object) -> object:
    return value if isinstance(value, str | StrictUndefined) else _shown(value)


def _metered(values: Iterable[object], deadline: list[float]) -> Iterator[object]:
    for value in values:
        if monotonic() > deadline[0]:
            raise TooSlow(gettext("a loop takes too long"))
        yield value


class _Sandbox(ImmutableSandboxedEnvironment):
    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_finalize, keep_trailing_newline=True)
        self.globals.clear()
        kept = {"default", "length", "lower", "upper", "title", "capitalize", "trim", "first", "last", "sort", "round"}
        self.filters = {name: self.filters[name] for name in kept}
        self.filters |= {"join": _join, "tojson": _shown}
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS or not name.isalpha()}


class PromptText:
    """A compiled template. `names` are the variables that it uses."""

    def __init__(self, source: str) -> None:
        """PromptInvalid says what is wrong and in which line."""
        self._sandbox = _Sandbox()
        self._deadline = [0.0]
        self._sandbox.filters["_metered"] = self._meter
        if len(source) > MAX_SOURCE:
            raise PromptInvalid(
                problem=gettext("it has more than %(max_source)s characters") % {"max_source": f"{MAX_SOURCE:,}"},
                field="template",
            )
        try:
            tree = self._sandbox.parse(source)
            self.names = frozenset(_check(tree))
            _meter_loops(tree)
            code = self._sandbox.compile(tree)
        except (TemplateError, RecursionError, SyntaxError) as error:
            line = f" in line {error.lineno}" if getattr(error, "lineno", None) else ""  # type: ignore[union-attr]
            raise PromptInvalid(problem=f"{error}{line}", field="template") from error
        self._template: Template = self._sandbox.template_class.from_code(self._sandbox, code, {})

    def render(self, values: Mapping[str, Json]) -> str:
        """The prompt for these values. Not for two threads at once. PromptInvalid when a value is missing or it is
        too large or slow.
        """
        if len(orjson.dumps(dict(values))) > MAX_VALUES:
            raise PromptInvalid(
                problem=gettext("its values have more than %(max_values)s bytes") % {"max_values": f"{MAX_VALUES:,}"},
                field="values",
            )
        self._deadline[0] = monotonic() + MAX_SECONDS
        parts: list[str] = []
        size = 0
        try:
            for part in self._template.generate(dict(values)):
                size += len(part)
                if size > MAX_TEXT:
                    raise TooSlow(gettext("it gives more than %(max_text)s characters") % {"max_text": f"{MAX_TEXT:,}"})
                if monotonic() > self._deadline[0]:
                    raise TooSlow(gettext("it takes too long"))
                parts.append(part)
        except Exception as error:
            raise PromptInvalid(problem=f"rendering stopped: {error}", field="template or values") from error
        return "".join(parts)

    def _meter(self, values: Iterable[object]) -> Iterator[object]:
        return _metered(values, self._deadline)


@lru_cache(maxsize=500)
def compiled(source: str) -> PromptText:
    """The compiled template; the same source is compiled once."""
    return PromptText(source)


def _check(tree: nodes.Template) -> set[str]:
    """Refuse what a prompt does not need; return the names that it reads from outside."""
    loops: set[str] = {"loop"}
    read: set[str] = set()
    for node in _walk(tree):
        if not isinstance(node, _NODES):
            raise _refused(
                node, gettext("%(value)s is not allowed in a prompt") % {"value": type(node).__name__.lower()}
            )
        if refuse := _REFUSALS.get(type(node)):
            refuse(node)
        if isinstance(node, nodes.Name):
            (loops if node.ctx == "store" else read).add(node.name)
    return read - loops


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _refused(node: nodes.Node, problem: str) -> TemplateError:
    error = TemplateError(problem)
    error.lineno = node.lineno  # type: ignore[attr-defined]
    return error


def _refuse_private(node: Any) -> None:
    name = node.attr if isinstance(node, nodes.Getattr) else node.name
    if name.startswith("_"):
        raise _refused(node, f"{name} is private")


def _refuse_recursion(node: Any) -> None:
    if node.recursive:
        raise _refused(node, gettext("a recursive loop is not allowed in a prompt"))


def _refuse_computed(node: Any) -> None:
    if not all(isinstance(item, nodes.Const | nodes.Name) for item in node.items):
        raise _refused(node, gettext("a list may only hold plain values"))


def _refuse_arguments(node: Any) -> None:
    given = [*node.args, *(keyword.value for keyword in node.kwargs)]
    if node.dyn_args or node.dyn_kwargs or not all(isinstance(value, nodes.Const) for value in given):
        raise _refused(node, gettext("%(name)s takes plain values only") % {"name": node.name})


_REFUSALS: Final[dict[type[nodes.Node], Callable[[Any], None]]] = {
    nodes.Name: _refuse_private,
    nodes.Getattr: _refuse_private,
    nodes.For: _refuse_recursion,
    nodes.Tuple: _refuse_computed,
    nodes.Filter: _refuse_arguments,
}


def _meter_loops(tree: nodes.Template) -> None:
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "_metered", [], [], None, None, lineno=loop.lineno).set_environment(
            tree.environment  # type: ignore[arg-type]
        )
