"""What an agent's registration says about data: `guard={"sees": ["pii"], ...}`. No Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from agents.types import Json

type Tag = Literal["pii", "pci", "phi"]
type Secrets = Literal["refuse", "mask", "off"]
type Injection = Literal["refuse", "flag", "off"]
type Identity = Literal["tokens", "keep"]

TAGS: Final[tuple[str, ...]] = get_args(Tag.__value__)
LEAVING: Final = frozenset({"llm"})  # kinds whose calls leave this process, and whose answer comes back to it
# Kinds whose answer may come to another process: what tokens stand for is kept, sealed, until the task ends.
ANSWERED_LATE: Final = frozenset({"http", "external"})
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "secrets": get_args(Secrets.__value__),
    "injection": get_args(Injection.__value__),
    "identity": get_args(Identity.__value__),
}
_LISTS: Final = ("sees", "hides")
_TEXTS: Final = ("purpose", "subject")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one version.

    `sees`: tags whose data it gets in clear; other tagged fields are stripped and other tagged text is masked.
    `hides`: tags that are masked in its output. `purpose`, `subject` (a path into the input): whose consent is asked.
    """

    sees: frozenset[str] = frozenset()
    hides: frozenset[str] = frozenset()
    secrets: Secrets = "off"
    injection: Injection = "off"
    identity: Identity = "keep"
    detects: bool = False  # looks for tagged data in texts too
    purpose: str = ""
    subject: str = ""
    late: bool = False  # its answer may come to another process; by its kind, never declared

    @property
    def keeps_tokens(self) -> bool:
        """Whether what its tokens stand for has to outlive the call."""
        return self.late and self.identity == "tokens"

    @property
    def reads_texts(self) -> bool:
        """Whether any rule needs a look into the input's texts."""
        return self.detects or self.secrets != "off" or self.injection != "off" or self.identity == "tokens"


NOTHING: Final = Guard()


def guard_of(kind: str, declared: Mapping[str, Any] | None) -> Guard:
    """The rules that apply: what is declared, and for agents whose calls leave this process the careful defaults."""
    said = dict(declared or {})
    if kind in ANSWERED_LATE:
        said = {"secrets": "refuse", "injection": "flag", "identity": "tokens", "detects": True, **said, "late": True}
    elif kind in LEAVING:
        said = {"secrets": "refuse", "injection": "flag", "identity": "tokens", **said}
    elif declared is not None:
        said = {"secrets": "refuse", "injection": "flag", "detects": True, **said}
    if not said and declared is None:
        return NOTHING
    for name in _LISTS:
        said[name] = frozenset(said.get(name, ()))
    return Guard(**said)


def flaw(declared: Mapping[str, Json]) -> str | None:
    """What is wrong with a declaration, in words."""
    return _unknown(declared) or _wrong(declared)


def _unknown(declared: Mapping[str, Json]) -> str | None:
    known = {*_CHOICES, *_LISTS, *_TEXTS, "detects"}
    if unknown := sorted(set(declared) - known):
        return f"its guard says {unknown[0]!r}; it may say {', '.join(sorted(known))}"
    for name, choices in _CHOICES.items():
        if name in declared and declared[name] not in choices:
            return f"its guard's {name} must be one of {', '.join(choices)}"
    return None


def _wrong(declared: Mapping[str, Json]) -> str | None:
    for name in _LISTS:
        if (wrong := _not_tags(declared.get(name, []))) is not None:
            return f"its guard's {name} names {wrong!r}; data tags are {', '.join(TAGS)}"
    if not isinstance(declared.get("detects", True), bool):
        return "its guard's detects must be true or false"
    if any(not isinstance(declared.get(name, ""), str) for name in _TEXTS):
        return "its guard's purpose and subject must be texts"
    if bool(declared.get("purpose")) != bool(declared.get("subject")):
        return "its guard must name purpose and subject together: consent is somebody's, for something"
    return None


def _not_tags(value: Json) -> object | None:
    if not isinstance(value, list | tuple):
        return value or "nothing"
    return next((tag for tag in value if tag not in TAGS), None)
