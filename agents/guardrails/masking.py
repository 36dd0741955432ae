"""Masks texts and JSON values, and says where: places and kinds, never what stood there. No Django.

Masking twice gives the same as masking once: no mask looks like tagged data.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from agents.guardrails import detectors
from agents.guardrails.detectors import Span
from agents.types import Json

MOST: Final = 50  # notes kept of one call; the rest is counted
_WORDS: Final = {
    "email": "email address",
    "phone": "telephone number",
    "ssn": "social security number",
    "card": "card number",
    "iban": "bank account",
    "record": "medical record number",
    "nhs_number": "NHS number",
    "diagnosis": "diagnosis code",
    "birth_date": "date of birth",
}


@dataclass(slots=True)
class Report:
    """What was done to one call's data. `tokens` maps what was sent to what it stands for, and never leaves."""

    stripped: list[str] = field(default_factory=list)
    opened: dict[str, frozenset[str]] = field(default_factory=dict)  # tagged fields that the agent got in clear
    masked: list[dict[str, Json]] = field(default_factory=list)
    flagged: list[dict[str, Json]] = field(default_factory=list)
    unlisted: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    def mask(self, place: str, span: Span, why: str) -> None:
        """Note one masked span; `from` and `to` count characters of the text before it was masked."""
        if len(self.masked) >= MOST:
            self.unlisted += 1
            return
        self.masked.append(
            {"at": named(place), "kind": span.kind, "tag": span.tag, "from": span.start, "to": span.end, "why": why}
        )

    def flag(self, place: str, kind: str, why: str, **more: Json) -> None:
        """Note something suspicious that was let through."""
        if len(self.flagged) < MOST:
            self.flagged.append({"at": named(place), "kind": kind, "why": why, **more})

    def facts(self) -> dict[str, Json]:
        """As the attempt's event keeps it; empty if nothing was done."""
        told: dict[str, Json] = {}
        if self.stripped:
            told["stripped"] = list[Json](named(place) for place in self.stripped[:MOST])
        if self.opened:
            some = list(self.opened.items())[:MOST]
            told["opened"] = [{"at": named(place), "tags": list[Json](sorted(tags))} for place, tags in some]
        if self.masked:
            told["masked"] = list[Json](self.masked)
        if self.flagged:
            told["flagged"] = list[Json](self.flagged)
        more = self.unlisted + max(0, len(self.stripped) - MOST) + max(0, len(self.opened) - MOST)
        return {**told, "more": more} if more else told


_HOLD_TEXT: Final = (str, dict, list)


def named(place: str) -> str:
    """A field's path as it may be shown: a name can hold data too."""
    return mask_text(place, detectors.find(place))[:120]


def words_for(kind: str) -> str:
    """What people call it."""
    return _WORDS.get(kind, kind.replace("_", " "))


def mask_for(kind: str) -> str:
    """What stands in its place."""
    return f"[{words_for(kind)} hidden]"


def mask_text(text: str, spans: Iterable[Span], mask: Callable[[Span], str] | None = None) -> str:
    """The text with each span replaced; spans are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += (text[at : span.start], mask(span) if mask else mask_for(span.kind))
        at = span.end
    return "".join((*parts, text[at:]))


def each_text(value: Json, change: Callable[[str, str], Json], place: str = "") -> Json:
    """The value with `change(text, place)` in the place of each text; the very same objects where nothing changes.

    Names of fields are no texts: a contract says which there are. Walked several times in each call: a container is
    copied only when something in it has changed.
    """
    if isinstance(value, str):
        return change(value, place)
    if isinstance(value, dict):
        fields = _changes(value.items(), f"{place}." if place else "", "", change)
        return {**value, **fields} if fields else value
    if isinstance(value, list):
        items = _changes(enumerate(value), f"{place}[", "]", change)
        return [items.get(index, item) for index, item in enumerate(value)] if items else value
    return value


def _changes[K: (str, int)](
    items: Iterable[tuple[K, Json]], before: str, after: str, change: Callable[[str, str], Json]
) -> dict[K, Json]:
    """By field or place, what becomes another one."""
    found: dict[K, Json] = {}
    for key, item in items:
        if isinstance(item, _HOLD_TEXT) and (new := each_text(item, change, f"{before}{key}{after}")) is not item:
            found[key] = new
    return found


def mask_tags(value: Any, tags: frozenset[str], report: Report, why: str) -> Any:
    """The value with everything found that carries one of `tags` masked."""

    def change(text: str, place: str) -> str:
        spans = [span for span in detectors.find(text) if span.tag in tags]
        for span in spans:
            report.mask(place, span, why)
        return mask_text(text, spans) if spans else text

    return each_text(value, change)
