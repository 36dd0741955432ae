"""Tagged data encrypted where it is kept: a sealed text takes the place of the value and carries its tags along.

`wk-sealed:pii+phi:<token>`. The token is Fernet (AES-128-CBC with HMAC-SHA256) over the value as JSON and where it
came from. It travels through outputs, inputs, cards and exports as it is; only an agent that declares the tags, or a
person whom a data rule lets, gets it opened. Keys: `keyring`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from agents.errors import SealBroken
from agents.guardrails import keyring
from agents.types import Json

PREFIX: Final = "wk-sealed:"
MARK: Final = PREFIX.encode()
SEALED: Final = re.compile(r"wk-sealed:((?:pii|pci|phi)(?:\+(?:pii|pci|phi))*):([A-Za-z0-9_\-]{60,}={0,2})")


@dataclass(frozen=True, slots=True)
class Opened:
    """What was sealed, and whose output it was."""

    value: Json
    tags: frozenset[str]
    agent: str
    place: str


def seal(value: Json, tags: frozenset[str], *, agent: str, place: str) -> str:
    """The value sealed; what is sealed already is left as it is."""
    if isinstance(value, str) and SEALED.fullmatch(value):
        return value
    body = orjson.dumps({"v": value, "a": agent, "p": place})
    return f"{PREFIX}{'+'.join(sorted(tags))}:{keyring.current().encrypt(body).decode()}"


def tags_of(text: str) -> frozenset[str]:
    """The tags of a sealed text; empty for any other text."""
    match = SEALED.fullmatch(text)
    return frozenset(match[1].split("+")) if match else frozenset()


def open_sealed(text: str) -> Opened:
    """What a sealed text holds. Raises SealBroken if it is none, or was sealed with a key that is not here."""
    match = SEALED.fullmatch(text)
    if match is None:
        raise SealBroken(problem="it is not a sealed value")
    body: dict[str, Any] = orjson.loads(keyring.decrypt(match[2].encode()))
    return Opened(body["v"], frozenset(match[1].split("+")), body["a"], body["p"])


def reseal(text: str) -> str:
    """The same under the newest key. Raises SealBroken."""
    return SEALED.sub(lambda match: f"{PREFIX}{match[1]}:{keyring.rotate(match[2].encode()).decode()}", text)


def hidden(text: str) -> str:
    """The text with sealed values in it replaced by words: for prompts and pages."""
    if PREFIX not in text:
        return text
    return SEALED.sub(lambda match: f"[{match[1].upper().replace('+', ', ')} hidden]", text)


def sealed_in(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """Every sealed text of a value with its place."""
    if isinstance(value, str) and SEALED.fullmatch(value):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from sealed_in(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from sealed_in(item, f"{place}[{index}]")
