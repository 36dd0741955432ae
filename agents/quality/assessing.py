"""All checks of one output to one report: score 0-100 with its components, and why it is held, if it is. No Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.quality import accuracy, completeness, consistency, formats
from agents.quality.types import WEIGHTS, Component, Finding, QualitySpec, Report


@dataclass(frozen=True, slots=True)
class Material:
    """What an output is held against: the step's input, its sources by name, and what earlier steps put out."""

    given: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)


def assess(
    spec: QualitySpec, output: dict[str, Any], material: Material, *, others: Sequence[Component] = ()
) -> Report:
    """Run the step's checks; `others` are components found elsewhere: the verifier's, the consensus', guardians'."""
    components = [*(_check(name, spec, output, material) for name in spec.checks), *others]
    score = score_of(components)
    return Report(score, tuple(components), tuple(_reasons(spec, components, score)))


def score_of(components: Sequence[Component]) -> float:
    """The weighted mean of the components as 0-100, to a tenth; 100 where nothing was checked."""
    total = sum(component.weight for component in components)
    if not total:
        return 100.0
    return round(100 * sum(component.score * component.weight for component in components) / total, 1)


def weight_of(spec: QualitySpec, name: str) -> float:
    """A component's weight: the step's own, or the default."""
    return float(spec.weights.get(name, WEIGHTS.get(name, 0.0)))


def _check(name: str, spec: QualitySpec, output: dict[str, Any], material: Material) -> Component:
    weight = weight_of(spec, name)
    match name:
        case "completeness":
            return completeness.check(spec, output, weight=weight)
        case "format":
            return formats.check(spec, output, weight=weight)
        case "accuracy":
            return accuracy.check(spec, output, material.sources, weight=weight)
        case "consistency":
            return consistency.check(spec, output, material.earlier, weight=weight)
    unknown = Finding(name, "", f"This release knows no check {name}.")
    return Component(name, 0.0, weight or 1.0, passed=False, findings=(unknown,))


def _reasons(spec: QualitySpec, components: Sequence[Component], score: float) -> list[str]:
    """Why an output is not used without a person. What others judge always counts, however good the score."""
    found = [f"score {score:g} is below the minimum of {spec.minimum:g}"] if score < spec.minimum else []
    for component in components:
        if not component.passed and (spec.zero_tolerance or component.name not in spec.checks):
            first = component.findings[0].message if component.findings else "it did not pass"
            found.append(f"{component.name}: {first.rstrip('.')}")
    return found
