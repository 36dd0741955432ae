"""Reads the source of a CEL expression before CEL does: limits, allow-list, and what it refers to.

CEL has no time limit, and a hostile expression can kill the process (deep recursion) or keep it busy for minutes
(nested macros). So an expression is short, shallow, calls listed functions only, and runs a macro only over a path, a
list literal or another macro's result: never over something it has built to be large, never inside another macro.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

MAX_SOURCE = 2000
MAX_DEPTH = 24
MAX_PLUS = 40
EVERYWHERE = frozenset({"input", "steps", "output", "confidence", "attempt"})
BY_PLACE = frozenset(
    {"agreed", "quality", "item", "at", "previous", "round", "event", "given", "callback_url", "message"}
)  # a macro may use these names for its items
VARIABLES = EVERYWHERE | BY_PLACE
MACROS = frozenset({"map", "filter", "all", "exists", "exists_one"})
FUNCTIONS = frozenset(
    {"has", "size", "contains", "startsWith", "endsWith", "matches", "string", "int", "double", "bool", "type"}
    | {"duration", "timestamp", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getHours", "getMinutes", "getSeconds"}
)
RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"}
    | {"let", "loop", "package", "namespace", "return", "var", "void", "while"}
)
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||[<>=!]=|[-+*%<>!?:,.()\[\]{}]|/(?!/))""",
    re.VERBOSE,
)
_CLOSES = {")": "(", "]": "[", "}": "{"}
_ESCAPES = re.compile(r"\\(.)")


class SourceError(ValueError):
    """An expression that will not be compiled; the text says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable and the fields read from it: `steps.triage.score`. `in_macro`: read again for each item."""

    root: str
    path: tuple[str, ...]
    in_macro: bool = False

    @property
    def step(self) -> str:
        """The step whose output this reads, or ""."""
        return self.path[0] if self.root == "steps" and self.path else ""

    def __str__(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass(frozen=True, slots=True)
class Source:
    """What a scan found. `is_path`: nothing but one reference, so that no CEL is needed to evaluate it."""

    text: str
    references: tuple[Reference, ...]
    bound: frozenset[str]
    macros: tuple[str, ...]
    is_path: bool


@dataclass(frozen=True, slots=True)
class _Macro:
    first: int  # token of "("
    last: int  # token of ")"
    variable: str


type _Token = tuple[str, str]  # kind, text


@lru_cache(maxsize=8192)
def scan(text: str, known: frozenset[str] = VARIABLES) -> Source:
    """Check `text` against the limits and list what it refers to; SourceError otherwise. `known`: its variables."""
    if len(text) > MAX_SOURCE:
        raise SourceError(f"is {len(text):,} characters long; at most {MAX_SOURCE:,} are allowed")
    tokens = _tokens(text)
    pairs = _brackets(tokens)
    macros = _macros(tokens, pairs)
    _check_functions(tokens)
    if sum(token == ("sign", "+") for token in tokens) > MAX_PLUS:
        raise SourceError(f'has more than {MAX_PLUS} "+"')
    references, is_path = _references(tokens, macros, known)
    return Source(
        text,
        references,
        frozenset(macro.variable for macro in macros),
        tuple(tokens[macro.first - 1][1] for macro in macros),
        is_path,
    )


def signs(text: str) -> list[tuple[str, int]]:
    """The operators and brackets of a text that `scan` lets pass, and where each begins; those in strings are none."""
    return [(found.group(), found.start()) for found in _TOKEN.finditer(text) if found.lastgroup == "sign"]


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise SourceError(f"has {text[place]!r} at character {place + 1}, which is not understood")
        place = match.end()
        if (kind := match.lastgroup or "") != "space":
            tokens.append((kind, match.group()))
    if not tokens:
        raise SourceError("is empty")
    for (kind, _), (after, _) in pairwise(tokens):
        if kind in {"name", "number", "string"} and after == "string":
            raise SourceError("has a string with a prefix or triple quotes; only plain strings are allowed")
    return tokens


def _brackets(tokens: list[_Token]) -> dict[int, int]:
    """Which token closes, or opens, which; refuses deep nesting and what does not match."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for place, (kind, text) in enumerate(tokens):
        if kind != "sign":
            continue
        if text in "([{":
            opened.append(place)
            if len(opened) > MAX_DEPTH:
                raise SourceError(f"is nested more than {MAX_DEPTH} deep")
        elif text in _CLOSES:
            if not opened or tokens[opened[-1]][1] != _CLOSES[text]:
                raise SourceError(f'has a "{text}" that closes nothing')
            start = opened.pop()
            pairs[start], pairs[place] = place, start
    if opened:
        raise SourceError(f'has a "{tokens[opened[-1]][1]}" that is never closed')
    return pairs


def _macros(tokens: list[_Token], pairs: dict[int, int]) -> list[_Macro]:
    macros: list[_Macro] = []
    calls = [place for place in range(1, len(tokens) - 1) if _is_macro(tokens, place)]
    for place in calls:
        macro = _Macro(place + 1, pairs[place + 1], _bound_variable(tokens, place))
        if any(outer.first < place < outer.last for outer in macros):
            raise SourceError(f'has a macro inside a macro ("{tokens[place][1]}"); do that work in an agent')
        _check_receiver(tokens, pairs, place)
        macros.append(macro)
    return macros


def _is_macro(tokens: list[_Token], place: int) -> bool:
    return (
        tokens[place][1] in MACROS
        and tokens[place][0] == "name"
        and tokens[place - 1][1] == "."
        and tokens[place + 1][1] == "("
    )


def _bound_variable(tokens: list[_Token], place: int) -> str:
    kind, name = tokens[place + 2]
    if kind != "name" or tokens[place + 3][1] != "," or name in RESERVED:
        raise SourceError(f'needs a name first in "{tokens[place][1]}(item, ...)"')
    if name in EVERYWHERE:
        raise SourceError(f'uses "{name}" as the name of an item in "{tokens[place][1]}"; choose another')
    return name


def _check_receiver(tokens: list[_Token], pairs: dict[int, int], place: int) -> None:
    """A macro may only run over what cannot have been built to be large: a path, a list literal, a macro's result."""
    end = place - 2
    kind, text = tokens[end]
    if kind == "name" and _start_is_variable(tokens, pairs, end):
        return
    if text == "]":
        start = pairs[end]
        if start == 0 or (tokens[start - 1][0] == "sign" and tokens[start - 1][1] not in ")]}"):
            return
        if (
            end - start == 2
            and tokens[start + 1][0] in {"number", "string"}
            and _start_is_variable(tokens, pairs, start - 1)
        ):
            return
    if text == ")" and pairs[end] >= 2 and _is_macro(tokens, pairs[end] - 1):
        return
    raise SourceError(f'runs "{tokens[place][1]}" over a computed value; use it on a path such as steps.key.items')


def _start_is_variable(tokens: list[_Token], pairs: dict[int, int], place: int) -> bool:
    """True if the chain that ends at `place` is names and literal indexes only, back to its first name."""
    while True:
        kind, text = tokens[place]
        if (
            text == "]"
            and place - pairs[place] == 2
            and tokens[place - 1][0] in {"number", "string"}
            and pairs[place] > 0
        ):
            place = pairs[place] - 1
        elif kind == "name" and text not in RESERVED:
            if place == 0 or tokens[place - 1][1] != ".":
                return True
            place -= 2
        else:
            return False
        if place < 0:
            return False


def _check_functions(tokens: list[_Token]) -> None:
    for place, (kind, text) in enumerate(tokens):
        after = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        if kind == "name" and after == "{":
            raise SourceError(f'builds a message "{text}{{"; only lists and maps are allowed')
        is_known = text in RESERVED or text in FUNCTIONS or (text in MACROS and _is_macro(tokens, place))
        if kind == "name" and after == "(" and not is_known:
            raise SourceError(
                f'calls "{text}", which is not a function here; allowed are {", ".join(sorted(FUNCTIONS | MACROS))}'
            )
        if text == "." and kind == "sign" and (place == 0 or not _ends_value(tokens[place - 1])):
            raise SourceError('has a "." after nothing')


def _ends_value(token: _Token) -> bool:
    kind, text = token
    return (
        kind in {"string", "number"} or (kind == "name" and text not in RESERVED) or (kind == "sign" and text in ")]}")
    )


def _references(
    tokens: list[_Token], macros: list[_Macro], known: frozenset[str]
) -> tuple[tuple[Reference, ...], bool]:
    found: dict[Reference, None] = {}
    is_path = False
    for place, (kind, text) in enumerate(tokens):
        if kind != "name" or text in RESERVED or (place and tokens[place - 1][1] == "."):
            continue
        if place + 1 < len(tokens) and tokens[place + 1][1] == "(":
            continue
        inside = [macro for macro in macros if macro.first < place < macro.last]
        if any(text == macro.variable for macro in inside):
            continue
        path, end, whole = _path(tokens, place)
        is_path = whole and place == 0 and end == len(tokens)
        found[_reference(text, path, known, in_macro=bool(inside))] = None
    return tuple(found), is_path


def _reference(root: str, path: tuple[str, ...], known: frozenset[str], *, in_macro: bool) -> Reference:
    if root not in known:
        raise SourceError(f'"{root}" is not known; an expression may use {", ".join(sorted(known))}')
    if root == "steps" and not path:
        raise SourceError('"steps" needs the name of a step: steps.key.field')
    return Reference(root, path, in_macro)


def _path(tokens: list[_Token], place: int) -> tuple[tuple[str, ...], int, bool]:
    """Names read from the variable at `place`; where they end; and whether that is all of the chain."""
    path: list[str] = []
    place += 1
    while place + 1 < len(tokens):
        text, (kind, name) = tokens[place][1], tokens[place + 1]
        if text == "." and kind == "name":
            if place + 2 < len(tokens) and tokens[place + 2][1] == "(":
                return tuple(path), place, False
            path.append(name)
            place += 2
        elif text == "[" and kind == "string" and tokens[place + 2][1] == "]":
            path.append(_ESCAPES.sub(r"\1", name[1:-1]))
            place += 3
        else:
            return tuple(path), place, False
    return tuple(path), place, place == len(tokens)
