"""One agent version's guard, compiled: what its input loses before the call, and its output after. No database.

Most agents declare nothing: for them a screen is one comparison of field names and one search for sealed data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agents.errors import GuardRefused
from agents.guardrails import credentials, detectors, injection, sealing
from agents.guardrails.declared import NOTHING, TAGS, Guard
from agents.guardrails.masking import Report, each_text, mask_tags, named
from agents.guardrails.shapes import Shape, Stripper, shape_of, tags_in
from agents.guardrails.tokens import Tokens
from agents.types import Json

EVERY: Final = frozenset(TAGS)


@dataclass(slots=True)
class Pass:
    """One call on its way through: what was done to its data, and what its answer needs to be given back."""

    report: Report = field(default_factory=Report)
    tokens: Tokens | None = None
    known: Mapping[str, str] = field(default_factory=dict)  # tokens of an earlier attempt, to be used again

    def reveal[T: Json](self, value: T) -> T:
        """What a model says, with what its tokens stand for; of the same form."""
        return self.tokens.restore(value) if self.tokens else value  # type: ignore[return-value]

    def conceal(self, value: Json) -> Json:
        """What a tool answers to a model, with tokens."""
        return self.tokens.hide(value, self.report) if self.tokens else value

    def kept(self) -> dict[str, str]:
        """What its tokens stand for."""
        return self.tokens.kept if self.tokens else {}

    def adopt(self, kept: Mapping[str, str]) -> None:
        """Know an earlier call's tokens, too."""
        if self.tokens:
            self.tokens.adopt(kept)


class Screen:
    """What one version of an agent is sent and may say. Made once, with its spec."""

    __slots__ = ("_agent", "_input", "_output", "_top", "guard", "is_active", "is_tagged", "seals")

    def __init__(self, agent: str, guard: Guard, takes: Mapping[str, Any], gives: Mapping[str, Any]) -> None:
        self._agent = agent
        self.guard = guard
        self._input: Shape = shape_of(takes)
        self._output: Shape = shape_of(gives)
        self.seals = any(True for _ in tags_in(self._output))
        self.is_tagged = self.seals or any(True for _ in tags_in(self._input))
        # Undeclared, untagged and flat: nothing but names of fields has to be looked at.
        self.is_active = self.guard is not NOTHING or self.seals or self._input.is_deep
        self._top = None if self._input.is_open else self._input.names

    def flaw(self, required: Iterable[str]) -> str | None:
        """What is wrong with the tags of its contracts, in words. `required`: the fields that its input must have."""
        for side, shape in (("input", self._input), ("output", self._output)):
            for place, tags in tags_in(shape):
                if unknown := sorted(tags - EVERY):
                    return f"its {side} contract tags {place} as {unknown[0]!r}; data tags are {', '.join(TAGS)}"
        for name in required:
            inner = self._input.fields.get(name)
            if inner is not None and (lacking := sorted(inner.tags - self.guard.sees)):
                return f"its input contract requires {name}, tagged {lacking[0]}, which its guard does not list in sees"
        return None

    def passes(self, given: Mapping[str, Json]) -> bool:
        """Whether the input goes through untouched: asked of every call."""
        if self.is_active or (self._top is not None and not given.keys() <= self._top):
            return False
        try:
            return sealing.MARK not in orjson.dumps(given)
        except TypeError:
            return True  # not JSON: cleaning says so

    def before(self, given: Mapping[str, Json], going: Pass) -> dict[str, Json]:
        """What the agent is sent; the very same object where nothing is taken out. Raises GuardRefused.

        1. Fields outside the contract, and tagged fields it does not declare, are stripped.
        2. Sealed values are opened for it, or masked.
        3. Secrets stop the call; tagged text that it does not declare is masked; injections are noted or stop it.
        4. What leaves this process is de-identified.
        """
        stripper = Stripper(self.guard.sees)
        value: Json = stripper.strip(given if isinstance(given, dict) else dict(given), self._input)
        going.report.stripped = stripper.names
        going.report.opened = stripper.seen
        value = self._unseal(value, going.report)
        if self.guard.reads_texts:
            value = self._read(value, going)
        assert isinstance(value, dict)
        return value

    def after(self, output: dict[str, Json], going: Pass) -> dict[str, Json]:
        """What is kept of its output: tokens put back, secrets and hidden tags masked, tagged fields sealed."""
        value: Json = going.reveal(output)
        if self.guard.secrets != "off":
            value = _without_secrets(value, going.report, "an agent's output must hold no secrets")
        if self.guard.hides:
            value = mask_tags(value, self.guard.hides, going.report, "the agent's guard hides it in outputs")
        if self.seals:
            value = _sealed(value, self._output, self._agent)
        assert isinstance(value, dict)
        return value

    def speakable(self, message: str, code: str) -> str:
        """A failure's message as everybody may read it. Tokens stay; a contract's complaint quotes the value."""
        if code.startswith("contract_") and self.is_tagged:
            return f"{message.partition(': ')[0]}: the value does not fit (it is not quoted: the contract has tags)."
        return str(mask_tags(_without_secrets(message, Report(), ""), EVERY, Report(), ""))

    def _unseal(self, value: Json, report: Report) -> Json:
        def change(text: str, place: str) -> Json:
            if sealing.PREFIX not in text:
                return text
            tags = sealing.tags_of(text)
            if tags and tags <= self.guard.sees:
                report.opened[place] = report.opened.get(place, frozenset()) | tags
                return sealing.open_sealed(text).value
            for match in sealing.SEALED.finditer(text):
                span = detectors.Span(match.start(), match.end(), match[1], match[1])
                report.mask(place, span, "sealed, and not among the tags that the agent declares")
            return sealing.hidden(text)

        return each_text(value, change)

    def _read(self, value: Json, going: Pass) -> Json:
        guard = self.guard
        if guard.secrets != "off":
            refuses = guard.secrets == "refuse"
            value = _without_secrets(value, going.report, "secrets are not sent to agents", refuses=refuses)
        if guard.injection != "off":
            self._judge(value, going.report)
        if guard.identity == "tokens":
            going.tokens = Tokens(value, keep=guard.sees)
            going.tokens.adopt(going.known)
            return going.tokens.hide(value, going.report)
        if guard.detects and guard.sees != EVERY:
            rest = EVERY - guard.sees
            masked: Json = mask_tags(value, rest, going.report, "not among the tags that the agent declares")
            return masked
        return value

    def _judge(self, value: Json, report: Report) -> None:
        def look(text: str, place: str) -> str:
            verdict = injection.judge(text)
            if verdict.is_named and self.guard.injection == "refuse":
                raise GuardRefused(
                    rule="injection", path=named(place), problem=f"it speaks to the model ({verdict.rules[0]})"
                )
            if verdict.is_attack:
                certainty: dict[str, Json] = {"score": verdict.score, **({} if verdict.is_named else {"counts": False})}
                report.flag(place, "injection", ", ".join(verdict.rules), **certainty)
            return text

        each_text(value, look)


def _without_secrets(value: Json, report: Report, why: str, *, refuses: bool = False) -> Json:
    """The value with secrets masked; with `refuses`, one that its form proves raises GuardRefused."""

    def change(text: str, place: str) -> str:
        found = credentials.find(text)
        for secret in found:
            if refuses and secret.is_sure:
                problem = f"it holds what looks like a secret ({secret.kind}); use a reference to it instead"
                raise GuardRefused(rule="secret", path=named(place), problem=problem)
            report.mask(place, detectors.Span(secret.start, secret.end, secret.kind, "secret"), why)
        return credentials.hidden(text, found) if found else text

    return each_text(value, change)


def _sealed(value: Json, shape: Shape, agent: str, place: str = "") -> Json:
    """The output with the tagged fields of its contract sealed."""
    if shape.tags and value is not None:
        return sealing.seal(value, shape.tags, agent=agent, place=place)
    if isinstance(value, dict):
        return {
            name: _sealed(item, inner, agent, f"{place}.{name}" if place else name)
            if (inner := shape.fields.get(name)) is not None
            else item
            for name, item in value.items()
        }
    if isinstance(value, list) and shape.items is not None:
        return [_sealed(item, shape.items, agent, f"{place}[]") for item in value]
    return value
