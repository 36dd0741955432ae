"""Collects what can be translated: marked strings of templates and modules, and the docstrings that errors speak with.

Standard library and Django only: neither GNU gettext nor a compiler is asked for.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation.template import templatize

APPS = ("agents", "approvals", "orchestrator", "monitoring", "config")
_CALLS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "marked"), (None, 0, None)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (None, 0, 1)),
    "marked_forms": (None, 0, 1),
    "counted": (None, 1, 2),  # orchestrator.acts: a line of a preview, if there is anything to count
    **dict.fromkeys(("pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}
_TEMPLATE_CALL = re.compile(r"\b(?:gettext|pgettext|ngettext|npgettext|_)\((?=u?['\"])")
# Errors whose docstring is their message: everything that inherits from one of these.
_SPEAKING = frozenset({"OrchestratorError", "AgentsError"})


@dataclass(frozen=True, slots=True)
class Message:
    """One text, perhaps with its plural, and the files that say it."""

    text: str
    plural: str = ""
    context: str = ""
    files: list[str] = field(default_factory=list, compare=False)


def collect(root: Path) -> list[Message]:
    """Everything that can be translated, in the order of its files."""
    found: dict[Message, Message] = {}
    modules = [path for app in APPS for path in sorted((root / app).rglob("*.py")) if "migrations" not in path.parts]
    trees = {path: ast.parse(path.read_text()) for path in modules}
    for path in sorted((root / "templates").rglob("*.html")):
        _note(found, _of_template(path), path.relative_to(root))
    speaking = _speaking(trees.values())
    for path, tree in trees.items():
        _note(found, [*_of_calls(tree), *_of_docstrings(tree, speaking)], path.relative_to(root))
    return list(found.values())


def _note(found: dict[Message, Message], messages: Iterable[Message], file: Path) -> None:
    for message in messages:
        known = found.setdefault(message, message)
        if str(file) not in known.files:
            known.files.append(str(file))


def _of_template(path: Path) -> Iterator[Message]:
    """`templatize` leaves calls of gettext where tags were, and nothing else that can be read."""
    code = templatize(path.read_text(), origin=str(path))
    for start in (match.start() for match in _TEMPLATE_CALL.finditer(code)):
        for end in (match.end() for match in re.finditer(r"\)", code[start:])):
            try:
                call = ast.parse(code[start : start + end].replace("\n", " ")).body[0]
            except SyntaxError:
                continue  # a bracket within the text
            yield from _of_calls(call)
            break


def _of_calls(tree: ast.AST) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (places := _CALLS.get(_name(node.func))):
            context, text, plural = (_constant(node, place) for place in places)
            if text:
                yield Message(text, plural, context)


def _of_docstrings(tree: ast.AST, speaking: frozenset[str]) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in speaking and (text := ast.get_docstring(node, clean=False)):
            yield Message(text)


def _speaking(trees: Iterable[ast.AST]) -> frozenset[str]:
    """Names of the classes that inherit from an error which speaks with its docstring."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = set(_SPEAKING)
    while more := {node.name for node in classes if known & {_name(base) for base in node.bases}} - known:
        known |= more
    return frozenset(known)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _constant(call: ast.Call, place: int | None) -> str:
    if place is None or place >= len(call.args):
        return ""
    argument = call.args[place]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""
