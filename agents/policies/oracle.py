"""A second opinion on policies: decides about calls by code of its own, for `manage.py fuzz_policies`.

It shares neither parser nor evaluator with the engine: the YAML is read by PyYAML's Python loader, conditions by the
small parser below. A condition without a value allows nothing; one outside of its language is Unjudged.
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import yaml

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d+\.\d+|\d+)|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]]))"""
)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_METHODS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith, "endsWith": str.endswith, "contains": lambda text, part: part in text,
}  # fmt: skip
_RISKS = {"low": "", "medium": "", "high": "operations", "critical": "operations"}


class Unjudged(Exception):
    """The condition uses more of CEL than this oracle knows."""


class _Wrong(Exception):
    """The condition gives no value on these facts."""


class Oracle:
    """What a policy's text allows, read anew."""

    def __init__(self, source: str, revoked: frozenset[str] = frozenset()) -> None:
        self._values: dict[str, Any] = yaml.load(source, Loader=yaml.SafeLoader)
        self._revoked = revoked

    def answer(self, call: Mapping[str, Any], at: datetime) -> str:
        """allow, ask or deny, of a call with agent, tool, risk, scopes, arguments, run and version."""
        asks = False
        for held in self._values["entitlements"]:
            if not self._covers(held, call, at) or not holds(held.get("when"), call):
                continue
            if not self._queue(held, str(call["risk"])):
                return "allow"
            asks = True
        return "ask" if asks else "deny"

    def _covers(self, held: Mapping[str, Any], call: Mapping[str, Any], at: datetime) -> bool:
        exact = held["agent"] == call["agent"] and held["tool"] == call["tool"] and held["id"] not in self._revoked
        has_scopes = all(scope in held.get("scopes", ()) for scope in call["scopes"])
        ends = held.get("expires")
        return exact and has_scopes and (ends is None or at < _moment(ends))

    def _queue(self, held: Mapping[str, Any], risk: str) -> str:
        if held.get("queue"):
            return str(held["queue"])
        queue = self._values.get("approval", {}).get(risk, _RISKS[risk])
        return "" if queue == "none" else str(queue)


def holds(condition: str | None, call: Mapping[str, Any]) -> bool:
    """Whether a condition is true of a call; false too where it gives no value. Raises Unjudged."""
    if not condition:
        return True
    tool = {"name": call["tool"], "version": call["version"], "risk": call["risk"]}
    names = {"arguments": call["arguments"], "agent": call["agent"], "tool": tool, "scopes": list(call["scopes"])}
    parser = _Parser(_tokens(condition), {**names, "run": call["run"]})
    value = parser.ternary()
    if parser.left():
        raise Unjudged(condition)
    try:
        return value() is True
    except (_Wrong, ZeroDivisionError, OverflowError):
        return False


def literals(condition: str) -> list[Any]:
    """Numbers and texts that a condition mentions: their neighbours are where it may be wrong."""
    found: list[Any] = []
    for kind, text in _tokens(condition):
        if kind == "number":
            found.append(float(text) if "." in text else int(text))
        elif kind == "string":
            found.append(_text(text))
    return found


type _Lazy = Callable[[], Any]


class _Parser:
    """Recursive descent. Each method returns a thunk: && and || forgive an error on one side, as CEL does."""

    def __init__(self, tokens: list[tuple[str, str]], names: Mapping[str, Any]) -> None:
        self._tokens, self._names, self._at = tokens, names, 0

    def left(self) -> bool:
        return self._at < len(self._tokens)

    def _peek(self) -> str:
        kind, text = self._tokens[self._at] if self.left() else ("", "")
        return text if kind != "string" else ""

    def _take(self, *texts: str) -> str:
        text = self._peek()
        if text and text in texts:
            self._at += 1
            return text
        return ""

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise Unjudged(f"{text} expected")

    def ternary(self) -> _Lazy:
        test = self._or()
        if not self._take("?"):
            return test
        yes = self.ternary()
        self._need(":")
        no = self.ternary()
        return lambda: yes() if _bool(test()) else no()

    def _or(self) -> _Lazy:
        found = self._and()
        while self._take("||"):
            found = _either(found, self._and(), winner=True)
        return found

    def _and(self) -> _Lazy:
        found = self._relation()
        while self._take("&&"):
            found = _either(found, self._relation(), winner=False)
        return found

    def _relation(self) -> _Lazy:
        found = self._sum()
        while sign := self._take("==", "!=", "<", "<=", ">", ">=", "in"):
            found = _relate(sign, found, self._sum())
        return found

    def _sum(self) -> _Lazy:
        found = self._product()
        while sign := self._take("+", "-"):
            found = _calculate(sign, found, self._product())
        return found

    def _product(self) -> _Lazy:
        found = self._unary()
        while sign := self._take("*"):
            found = _calculate(sign, found, self._unary())
        if self._peek() in {"/", "%"}:
            raise Unjudged("division")
        return found

    def _unary(self) -> _Lazy:
        if self._take("!"):
            inner = self._unary()
            return lambda: not _bool(inner())
        if self._take("-"):
            inner = self._unary()
            return lambda: -_number(inner())
        return self._member()

    def _member(self) -> _Lazy:
        found = self._primary()
        while sign := self._take(".", "["):
            if sign == "[":
                key = self.ternary()
                self._need("]")
                found = _index(found, key)
                continue
            kind, name = self._tokens[self._at]
            self._at += 1
            if kind != "name":
                raise Unjudged("a name expected")
            found = self._method(found, name) if self._peek() == "(" else _index(found, lambda name=name: name)  # type: ignore[misc]
        return found

    def _method(self, of: _Lazy, name: str) -> _Lazy:
        self._need("(")
        if name not in _METHODS and name != "matches":
            raise Unjudged(name)
        part = self.ternary()
        self._need(")")
        if name == "matches":
            return lambda: re.search(_str(part()), _str(of())) is not None
        return lambda: _METHODS[name](_str(of()), _str(part()))

    def _primary(self) -> _Lazy:
        if not self.left():
            raise Unjudged("it ends early")
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind:
            case "string":
                value: Any = _text(text)
                return lambda: value
            case "number":
                number = float(text) if "." in text else int(text)
                return lambda: number
            case "name":
                return self._name(text)
        if text == "(":
            inner = self.ternary()
            self._need(")")
            return inner
        return self._list() if text == "[" else _unknown(text)

    def _list(self) -> _Lazy:
        items: list[_Lazy] = []
        while not self._take("]"):
            items.append(self.ternary())
            self._take(",")
        return lambda: [item() for item in items]

    def _name(self, text: str) -> _Lazy:
        constants = {"true": True, "false": False, "null": None}
        if text in constants:
            return lambda: constants[text]
        if text in {"size", "has"} and self._take("("):
            inner = self.ternary()
            self._need(")")
            return (lambda: _size(inner())) if text == "size" else (lambda: _has(inner))
        if text not in self._names:
            raise Unjudged(text)
        return lambda: self._names[text]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unjudged(text[at : at + 10])
        found.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        at = match.end()
    return found


def _text(token: str) -> str:
    inner = token[1:-1]
    if "\\" in inner:
        raise Unjudged("an escape")
    return inner


def _moment(text: str | datetime | Any) -> datetime:
    if isinstance(text, datetime):
        return text if text.tzinfo else text.replace(tzinfo=UTC)
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unknown(text: str) -> _Lazy:
    raise Unjudged(text)


def _either(left: _Lazy, right: _Lazy, *, winner: bool) -> _Lazy:
    def value() -> bool:
        wrong = 0
        for side in (left, right):
            try:
                if _bool(side()) is winner:
                    return winner
            except _Wrong:
                wrong += 1
        if wrong:
            raise _Wrong
        return not winner

    return value


def _relate(sign: str, left: _Lazy, right: _Lazy) -> _Lazy:
    def value() -> bool:
        one, other = left(), right()
        if sign == "in":
            return _within(one, other)
        if sign in ("==", "!="):
            return (_same(one, other)) is (sign == "==")
        pair = (_number(one), _number(other)) if _is_number(one) else (_str(one), _str(other))
        return _COMPARE[sign](*pair)

    return value


def _within(one: Any, other: Any) -> bool:
    if isinstance(other, Mapping):
        return any(_same(one, key) for key in other)
    if isinstance(other, list):
        return any(_same(one, item) for item in other)
    raise _Wrong


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or not (_is_number(one) and _is_number(other)):
        return type(one) is type(other) and bool(one == other)
    return bool(one == other)


def _calculate(sign: str, left: _Lazy, right: _Lazy) -> _Lazy:
    def value() -> Any:
        one, other = left(), right()
        if sign == "+" and isinstance(one, str) and isinstance(other, str):
            return one + other
        if type(one) is not type(other):
            raise _Wrong
        pair = _number(one), _number(other)
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](*pair)

    return value


def _index(of: _Lazy, key: _Lazy) -> _Lazy:
    def value() -> Any:
        holder, name = of(), key()
        if isinstance(holder, Mapping) and isinstance(name, str) and name in holder:
            return holder[name]
        whole = isinstance(name, int) and not isinstance(name, bool)
        if isinstance(holder, list) and whole and 0 <= name < len(holder):
            return holder[name]
        raise _Wrong

    return value


def _has(inner: _Lazy) -> bool:
    try:
        inner()
    except _Wrong:
        return False
    return True


def _size(value: Any) -> int:
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise _Wrong


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _Wrong


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> Any:
    if _is_number(value):
        return value
    raise _Wrong


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Wrong
