"""How far each agent of a run is: its tasks that have ended, of those that there are so far."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from django.db.models import Count

from orchestrator.models import Run, Task
from orchestrator.states import TASK_TERMINAL

MOST: Final = 30  # agents listed, those with the most to do first
# The parts of a bar; what has yet to be done leaves it empty, so that 100 % fill it.
TONES: Final = (
    ("good", "succeeded"), ("idle", "skipped"), ("failed", "failed"), ("stopped", "cancelled"), ("waiting", "waiting"),
    ("running", "running"), ("pending", "ready"), ("pending", "blocked"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """One agent's tasks in a run, by status."""

    agent: str
    counts: Counter[str]

    @property
    def total(self) -> int:
        """All of them; a map or a pattern may add more."""
        return self.counts.total()

    @property
    def done(self) -> int:
        """Those that have ended, however."""
        return sum(self.counts[status] for status in TASK_TERMINAL)

    @property
    def percent(self) -> int:
        """Of its tasks; 100 only when all have ended."""
        return 100 * self.done // self.total

    @property
    def tones(self) -> list[tuple[str, int]]:
        """As the parts of a bar."""
        return [(tone, self.counts[status]) for tone, status in TONES]


def by_agent(run: Run) -> list[Progress]:
    """Of a run in which several agents work; the one with the most left to do first."""
    rows = Task.objects.of_run(run.pk).exclude(agent=None).order_by().values_list("agent__name", "status")
    counts: dict[str, Counter[str]] = {}
    for agent, status, count in rows.annotate(count=Count("id")):
        counts.setdefault(agent, Counter())[status] += count
    found = [Progress(agent, counted) for agent, counted in counts.items()]
    return sorted(found, key=lambda one: (one.done - one.total, one.agent))[:MOST] if len(found) > 1 else []
