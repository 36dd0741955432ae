"""Suites as YAML: what is measured on which cases, and what must be reached. No Django.

```yaml
name: severity-accuracy
title: Severity of incidents that no training has seen
kind: functional            # functional, safety, experience or economic
agent: severity-assessor
dataset: incidents-held-out
schedule: nightly           # nightly or monthly; left out: only when somebody asks
measures: {accuracy: {of: match, path: level}}
passes: [accuracy]          # a case passes if its marks in these measures are 1
thresholds: {accuracy: {at_least: 0.5}}
```
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from agents.evaluation.measures import NAMES, Measure, is_share

KINDS: Final = ("functional", "safety", "experience", "economic")
SCHEDULES: Final = ("", "nightly", "monthly")
FOLDER: Final = Path(__file__).parent / "suites"
MOST_BYTES: Final = 100_000
_FIELDS: Final = frozenset(
    {"name", "title", "kind", "agent", "dataset", "schedule", "limit", "measures", "passes", "thresholds", "timeout"}
)
_MEASURE_FIELDS: Final = frozenset({"of", "path", "order", "distance", "value", "quantile"})


class SuiteRefused(ValueError):
    """A suite that cannot be run; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a measure must reach."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float | None) -> bool:
        """Whether the value is within it; a measure without a value reaches nothing."""
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite as written; `digest` is that of its text."""

    name: str
    title: str
    kind: str
    agent: str
    dataset: str
    digest: str
    measures: tuple[Measure, ...]
    passes: tuple[str, ...]
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    schedule: str = ""
    limit: int = 0  # cases at most; 0: all
    timeout: float = 60.0  # seconds a case


def names() -> list[str]:
    """The suites that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(name: str) -> Suite:
    """A suite by its name, or by the path of its file. Raises SuiteRefused."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise SuiteRefused(f"There is no suite {name}; there are {', '.join(names())}, or name a .yaml file.")
    return read(path.read_bytes())


def read(body: bytes) -> Suite:
    """A suite from its text. Raises SuiteRefused."""
    if len(body) > MOST_BYTES:
        raise SuiteRefused(f"The suite is larger than {MOST_BYTES:,} bytes.")
    try:
        written = yaml.safe_load(body)
    except yaml.YAMLError as problem:
        raise SuiteRefused(f"The suite is not YAML: {str(problem).splitlines()[0]}.") from None
    if not isinstance(written, dict):
        raise SuiteRefused("A suite is a mapping of fields.")
    _refuse_unknown(written, _FIELDS, "the suite")
    for name in ("name", "title", "kind", "agent", "dataset", "measures"):
        if not written.get(name):
            raise SuiteRefused(f"The suite lacks {name}.")
    if written["kind"] not in KINDS or written.get("schedule", "") not in SCHEDULES:
        raise SuiteRefused(f"kind is one of {', '.join(KINDS)}; schedule is nightly, monthly or left out.")
    measures = tuple(_measure(name, fields) for name, fields in _mapping(written, "measures").items())
    return Suite(
        name=str(written["name"]), title=str(written["title"]), kind=written["kind"], agent=str(written["agent"]),
        dataset=str(written["dataset"]), digest=hashlib.sha256(body).hexdigest(), measures=measures,
        passes=_passes(written, measures), thresholds=_thresholds(written, measures),
        schedule=written.get("schedule", ""), limit=int(written.get("limit", 0)),
        timeout=float(written.get("timeout", 60)),
    )  # fmt: skip


def _measure(name: str, fields: Any) -> Measure:
    if not isinstance(fields, dict) or fields.get("of") not in NAMES:
        raise SuiteRefused(f"Measure {name}: of is one of {', '.join(NAMES)}.")
    _refuse_unknown(fields, _MEASURE_FIELDS, f"measure {name}")
    if fields["of"] in {
        "match",
        "differs",
        "within",
        "recall",
        "close",
        "unchanged",
        "calibration",
        "readable",
    } and not fields.get("path"):
        raise SuiteRefused(f"Measure {name}: {fields['of']} needs a path.")
    return Measure(str(name), **{**fields, "order": tuple(fields.get("order", ()))})


def _passes(written: Mapping[str, Any], measures: tuple[Measure, ...]) -> tuple[str, ...]:
    shares = {measure.name for measure in measures if is_share(measure)}
    named = tuple(written.get("passes") or ())
    for name in named:
        if name not in shares:
            raise SuiteRefused(f"passes: {name} is no measure that counts cases; use {', '.join(sorted(shares))}.")
    return named


def _thresholds(written: Mapping[str, Any], measures: tuple[Measure, ...]) -> dict[str, Threshold]:
    known = {measure.name for measure in measures}
    found = {}
    for name, fields in _mapping(written, "thresholds").items():
        if name not in known or not isinstance(fields, dict) or not fields.keys() & {"at_least", "at_most"}:
            raise SuiteRefused(f"thresholds: {name} needs at_least or at_most, and must be a measure of the suite.")
        _refuse_unknown(fields, frozenset({"at_least", "at_most"}), f"threshold {name}")
        found[str(name)] = Threshold(**{side: float(value) for side, value in fields.items()})
    return found


def _mapping(written: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = written.get(name, {})
    if not isinstance(value, dict):
        raise SuiteRefused(f"{name} is a mapping.")
    return value


def _refuse_unknown(written: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    if unknown := sorted(str(name) for name in written.keys() - known):
        raise SuiteRefused(f"{unknown[0]} is not a field of {where}; use {', '.join(sorted(known))}.")
