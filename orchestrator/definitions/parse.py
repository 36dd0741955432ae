"""Text to plain values, under limits that hold while it is read: a hostile file is refused before it is built.

YAML is read from libyaml's event stream, with the plain scalars of YAML 1.2's core schema (`on`, `yes` and `12:30` are
text); JSON by the standard library, refusing what it would quietly accept. Called by `load` only.
"""

import json
import math
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from agents.types import Json
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem

MAX_BYTES = 2_000_000
MAX_NODES = 400_000
MAX_DEPTH = 40
MAX_ALIASES = 20
MAX_INTEGER = 2**63 - 1
_FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER_START = frozenset("+-.0123456789")
_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", "!"})


@dataclass(slots=True)
class Parsed:
    """A file's values. `lines` tells where a mapping starts, by its id(); it holds as long as `values` does."""

    values: Json
    lines: dict[int, int] = field(default_factory=dict)

    def line(self, mapping: object) -> int:
        """The line that a mapping of `values` starts on, counted from 1; 0 if not known."""
        return self.lines.get(id(mapping), 0)


class _Refused(Exception):
    """Reading stopped: what is wrong, what to do, and the line."""

    def __init__(self, message: str, remedy: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.problem = (message, remedy, line)


def parse(text: str, *, file: str) -> Parsed:
    """The values in a YAML or JSON text; DefinitionError if it breaks a limit, repeats a key or is neither."""
    try:
        if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise _Refused(f"is larger than {MAX_BYTES:,} bytes", "split it into smaller workflows")
        return _parse_json(text) if text.lstrip()[:1] == "{" else _YamlReader(text).read()
    except _Refused as refused:
        message, remedy, line = refused.problem
        raise DefinitionError([DefinitionProblem(file, "", "", message, remedy, line)]) from None


class _YamlReader:
    """Builds values from libyaml's events, one container at a time, without recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = 0
        self._aliases = 0
        self._anchors: dict[str, Json] = {}
        self._sizes: dict[str, int] = {}
        self._lines: dict[int, int] = {}
        self._stack: list[_Open] = []
        self._root: Json = None
        self._documents = 0

    def read(self) -> Parsed:
        parser = yaml.CLoader(self._text)
        try:
            while (event := parser.get_event()) is not None:
                self._take(event)
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            raise _Refused(
                f"is not YAML: {problem.problem or problem.context}", "", mark.line + 1 if mark else 0
            ) from None
        except (yaml.YAMLError, UnicodeEncodeError) as problem:
            raise _Refused(f"is not YAML: {str(problem).splitlines()[0]}", "save it as UTF-8 text") from None
        finally:
            parser.dispose()
        return Parsed(self._root, self._lines)

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._add(self._scalar(event), event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _Refused("holds more than one document", 'remove the "---" lines', _line(event))

    def _scalar(self, event: Any) -> Json:
        self._check_tag(event)
        text: str = event.value
        if not event.style and event.tag is None:
            return _plain_scalar(text, _line(event))
        _check_text(text, _line(event))
        return text

    def _open(self, event: Any) -> None:
        self._check_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} deep", "flatten it", _line(event))
        container: Json = {} if isinstance(event, yaml.MappingStartEvent) else []
        if isinstance(container, dict):
            self._lines[id(container)] = _line(event)
        self._stack.append(_Open(container, event.anchor, self._nodes))
        self._count(event)

    def _close(self) -> None:
        closed = self._stack.pop()
        if closed.anchor:
            self._anchors[closed.anchor] = closed.container
            self._sizes[closed.anchor] = self._nodes - closed.nodes_before
        self._put(closed.container, 0)

    def _add(self, value: Json, event: Any) -> None:
        self._count(event)
        if event.anchor:
            self._anchors[event.anchor], self._sizes[event.anchor] = value, 1
        self._put(value, _line(event))

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Refused(f"uses more than {MAX_ALIASES} aliases", "write the values out", _line(event))
        if event.anchor not in self._anchors:
            raise _Refused(
                f"alias *{event.anchor} has no finished anchor before it", "write the value out", _line(event)
            )
        self._nodes += self._sizes[event.anchor]
        self._count(event)
        self._put(self._anchors[event.anchor], _line(event))

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Refused(f"holds more than {MAX_NODES:,} values", "split it into smaller workflows", _line(event))

    def _put(self, value: Json, line: int) -> None:
        if not self._stack:
            self._root = value
            return
        self._stack[-1].put(value, line)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            raise _Refused(f'uses the tag "{event.tag}"', "remove it; only plain values are allowed", _line(event))


class _Open:
    """A container whose end has not been read. In a mapping, keys and values come in turn."""

    __slots__ = ("anchor", "container", "key", "nodes_before")

    def __init__(self, container: Any, anchor: str | None, nodes_before: int) -> None:
        self.container = container
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.key: str | None = None

    def put(self, value: Json, line: int) -> None:
        if isinstance(self.container, list):
            self.container.append(value)
        elif self.key is None:
            self.key = _checked_key(value, line)
            if self.key in self.container:
                raise _Refused(f'the key "{self.key}" stands twice', "keep one of them", line)
        else:
            self.container[self.key] = value
            self.key = None


def _checked_key(value: Json, line: int) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise _Refused(f"{value!r:.40} is used as a key", "keys are text; put it in quotes", line)
    key = str(value)
    if key == "<<":
        raise _Refused('uses the merge key "<<"', "write the values out", line)
    if _FORBIDDEN.search(key) or unicodedata.normalize("NFKC", key) != key:
        raise _Refused(
            f"the key {key!a:.80} has hidden or look-alike characters", "type it again in plain letters", line
        )
    return key


def _plain_scalar(text: str, line: int) -> Json:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_START:
        if _INTEGER.fullmatch(text):
            return _integer(text, line)
        if _FLOAT.fullmatch(text):
            return _float(text, line)
        if _NOT_A_NUMBER.fullmatch(text):
            raise _Refused(f"{text} is not a finite number", "put it in quotes if it is text", line)
    _check_text(text, line)
    return text


def _check_text(text: str, line: int) -> None:
    if found := _FORBIDDEN.search(text):
        raise _Refused(f"a text holds the hidden character U+{ord(found.group()):04X}", "remove it", line)


def _integer(text: str, line: int = 0) -> int:
    if len(text) > 20 or abs(number := int(text)) > MAX_INTEGER:
        raise _Refused(f"{text[:30]} is too large for a whole number", "put it in quotes if it is text", line)
    return number


def _float(text: str, line: int = 0) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Refused(f"{text[:30]} is not a finite number", "put it in quotes if it is text", line)
    return number


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)', re.DOTALL)  # possessive: linear, also on an open string


def _parse_json(text: str) -> Parsed:
    _check_json_shape(_JSON_STRING.sub("", text))
    try:
        values = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_not_finite, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as problem:
        raise _Refused(f"is not JSON: {problem.msg}", "", problem.lineno) from None
    _check_texts(values)
    return Parsed(values)


def _check_json_shape(bare: str) -> None:
    """Depth and number of values, counted before anything is built; `bare` is the text without its strings."""
    if bare.count(",") + bare.count(":") + bare.count("[") + bare.count("{") > MAX_NODES:
        raise _Refused(f"holds more than {MAX_NODES:,} values", "split it into smaller workflows")
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} deep", "flatten it")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Refused(f'the key "{next(key for key in keys if keys.count(key) > 1)}" stands twice', "keep one of them")
    for key in values:
        _checked_key(key, 0)
    return values


def _not_finite(word: str) -> NoReturn:
    raise _Refused(f"{word} is not a finite number", "put it in quotes if it is text")


def _check_texts(values: Json) -> None:
    waiting: list[Json] = [values]
    while waiting:
        match waiting.pop():
            case str() as text:
                _check_text(text, 0)
            case list() as items:
                waiting.extend(items)
            case dict() as mapping:
                waiting.extend(mapping.values())
