"""Two evaluations of one suite, case by case."""

from dataclasses import dataclass

from agents.evaluation.statistics import Paired, paired
from agents.models import Evaluation, EvaluationCase


class NotComparable(ValueError):
    """Two evaluations that say nothing about each other; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """A measure before and after."""

    name: str
    old: float | None
    new: float | None

    @property
    def difference(self) -> float | None:
        """New minus old, where both are known."""
        return None if self.old is None or self.new is None else round(self.new - self.old, 6)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two evaluations: by measure, and by the cases that both have."""

    old: Evaluation
    new: Evaluation
    pairs: Paired
    changes: tuple[Change, ...]
    lost: tuple[EvaluationCase, ...]  # of the new one: passed before
    won: tuple[EvaluationCase, ...]
    alone: int  # cases that only one of them has


def compare(old: Evaluation, new: Evaluation, *, shown: int = 50) -> Comparison:
    """Raises NotComparable unless both ran the same measures on at least one common case."""
    if old.suite_digest != new.suite_digest:
        raise NotComparable(f"Evaluations {old.pk} and {new.pk} ran different suites, or different texts of one.")
    before = dict(old.rows.values_list("case_digest", "passed"))
    after = dict(new.rows.values_list("case_digest", "passed"))
    common = sorted(before.keys() & after.keys())
    if not common:
        raise NotComparable(f"Evaluations {old.pk} and {new.pk} have no case in common.")
    lost = [digest for digest in common if before[digest] and not after[digest]]
    won = [digest for digest in common if after[digest] and not before[digest]]
    return Comparison(
        old,
        new,
        paired([before[digest] for digest in common], [after[digest] for digest in common]),
        tuple(Change(name, old.measures.get(name), value) for name, value in new.measures.items()),
        tuple(new.rows.filter(case_digest__in=lost)[:shown]),
        tuple(new.rows.filter(case_digest__in=won)[:shown]),
        len(before.keys() ^ after.keys()),
    )
