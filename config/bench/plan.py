"""What a workload needs from the bench: a stack, sizes, and a way to hand in its result."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from config.bench.measure import Result, Value
from config.bench.server import Server
from config.bench.stack import Stack, Team, running


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement under way. `scale` below 1 makes every size smaller and repeats nothing: a trial, no figure."""

    server: Server
    workload: str
    scale: float
    say: Callable[[str], None]

    def scaled(self, size: int) -> int:
        """A size, or as much smaller as asked for."""
        return max(2, round(size * self.scale))

    def repeats(self, count: int) -> int:
        """How often to measure."""
        return count if self.scale >= 1 else 1

    def running(self, name: str, team: Team | None = None) -> AbstractContextManager[Stack]:
        """A started and warmed-up stack."""
        return running(self.server, name, team or Team(), self.say)

    def result(
        self,
        stack: Stack,
        *,
        parameters: dict[str, Value],
        seconds: float,
        figures: dict[str, float],
        spread: dict[str, tuple[float, float]],
        basis_ms: float,
    ) -> Result:
        """The result, with what is known of the stack it was measured on."""
        return Result(
            workload=self.workload,
            parameters={**parameters, "workers": stack.team.workers, "capacity": stack.team.capacity},
            seconds=seconds,
            figures=figures,
            spread=spread,
            basis_ms=basis_ms,
            peak_rss_mb=stack.peak_rss_mb(),
            floor_ms=stack.floor_ms,
        )
