"""What a rehearsal injects, the smallest blast radius first. Which calls are hit follows from a seed, not chance."""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

type Kind = Literal["none", "llm_timeout", "tool_failure", "corrupted_memory", "worker_loss", "outage"]

ENVIRONMENT: Final = "REHEARSAL_DRILL"  # the file that says which drill is under way
TRANSIENT: Final[tuple[Kind, ...]] = ("llm_timeout", "tool_failure", "corrupted_memory")


@dataclass(frozen=True, slots=True)
class Drill:
    """One level: a kind of fault and the share of first attempts that it hits."""

    name: str
    kind: Kind
    share: float
    seed: int = 7
    agents: Sequence[str] = ()  # outage: those that are away

    def hits(self, key: str, attempt: int, agent: str = "") -> bool:
        """Whether the call with this idempotency key meets the fault: first attempts only, in an outage each."""
        if self.kind == "outage":
            return agent in self.agents
        return attempt == 1 and zlib.crc32(f"{self.seed}:{self.kind}:{key}".encode()) % 10_000 < self.share * 10_000

    def announce(self, path: Path) -> None:
        """Let the workers know: they read the file on each call."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)


def under_way() -> Drill:
    """The drill that was announced last; no fault before that."""
    path = Path(os.environ[ENVIRONMENT])
    return Drill(**json.loads(path.read_text())) if path.exists() else Drill("none", "none", 0.0)


def drills() -> tuple[Drill, ...]:
    """Ten in a hundred calls, then a third, then all of them, for each kind of fault; then workers die."""
    shares = ((0.1, "a tenth of the calls"), (0.34, "a third of the calls"), (1.0, "every first call"))
    found = [Drill(f"{kind.replace('_', ' ')}: {words}", kind, share) for share, words in shares for kind in TRANSIENT]
    return (Drill("no fault", "none", 0.0), *found, Drill("worker loss: a tenth of the calls", "worker_loss", 0.1))


def outage(*agents: str) -> Drill:
    """Agents that answer nobody, as long as the level lasts: their fallbacks have to do."""
    return Drill(f"outage of {', '.join(agents)}", "outage", 1.0, agents=agents)
