"""Changes fields of one step's gate in a definition's text and leaves every other character as its author wrote it."""

import json
from collections.abc import Iterator, Mapping

import yaml

from agents.types import Json
from approvals.errors import EditImpossible

_OWN = frozenset({"approval", "manual", "hybrid"})  # types whose gate's fields may stand on the step itself


def with_gate(source: str, step: str, change: Mapping[str, Json]) -> str:
    """The text with these fields of the step's gate set. Raises EditImpossible."""
    text = source
    for name, value in change.items():
        text = _set(text, step, name, json.dumps(value, ensure_ascii=False))
    return text


def _set(text: str, step: str, name: str, value: str) -> str:
    mapping = _gate(_compose(text, step), step, name)
    known = next((held for key, held in mapping.value if key.value == name), None)
    if known is None:
        return _insert(text, mapping, name, value)
    if not isinstance(known, yaml.ScalarNode):
        raise EditImpossible(step=step, what=f"{name} is not a single value there")
    start, end = known.start_mark.index, known.end_mark.index
    is_block = known.style in ("|", ">")  # its end is the start of the line after it
    return text[:start] + value + ("\n" if is_block else "") + text[end:]


def _insert(text: str, mapping: yaml.MappingNode, name: str, value: str) -> str:
    """Put the field first in the mapping: after its brace, or on a line of its own before its first key."""
    start = mapping.start_mark.index
    if mapping.flow_style:
        return f"{text[: start + 1]}{json.dumps(name)}: {value}, {text[start + 1 :]}"
    return f"{text[:start]}{name}: {value}\n{' ' * mapping.start_mark.column}{text[start:]}"


def _gate(root: yaml.Node, step: str, name: str) -> yaml.MappingNode:
    found = next((node for node in _steps(root) if _text(node, "key") == step), None)
    if found is None:
        raise EditImpossible(step=step, what="the text has no such step")
    gate = _held(found, "gate")
    if _text(found, "type") in _OWN and (gate is None or _held(found, name) is not None):
        return found
    if not isinstance(gate, yaml.MappingNode) or not gate.value:
        raise EditImpossible(step=step, what="it has no gate")
    return gate


def _steps(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    steps = _held(root, "steps") if isinstance(root, yaml.MappingNode) else None
    for node in steps.value if isinstance(steps, yaml.SequenceNode) else ():
        if isinstance(node, yaml.MappingNode):
            yield node
            yield from _steps(node)


def _held(mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in mapping.value if getattr(key, "value", None) == name), None)


def _text(mapping: yaml.MappingNode, name: str) -> str:
    held = _held(mapping, name)
    return str(held.value) if isinstance(held, yaml.ScalarNode) else ""


def _compose(text: str, step: str) -> yaml.Node:
    """The text's nodes with their places. It was published, so it is within the limits of `definitions.parse`."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as problem:
        raise EditImpossible(step=step, what="its text cannot be changed by a program") from problem
    if root is None:
        raise EditImpossible(step=step, what="its text is empty")
    return root
