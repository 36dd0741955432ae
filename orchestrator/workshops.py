"""Workshops: people score an agent or a workflow by six criteria and say why; drawn as a radar beside its table."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from orchestrator.models import Workflow, Workshop

LEAST, MOST = 1, 5
SHOWN: Final = 5  # earlier workshops that a page lists
CRITERIA: Final[Mapping[str, Promise]] = {
    "value": _("Worth to those who use it"),
    "fit": _("Fit of agents for the work"),
    "data": _("Data and tools are there"),
    "safety": _("Harm is contained"),
    "oversight": _("People can follow and step in"),
    "economy": _("Cost against what it saves"),
}
MIDDLE_X, MIDDLE_Y, RADIUS, LABEL = 180.0, 128.0, 84.0, 98.0


@dataclass(frozen=True, slots=True)
class Axis:
    """One criterion: its score now and before, the end of its line, and where its short name stands."""

    name: str
    words: Promise
    score: int
    before: int | None
    x: str
    y: str
    label_x: str
    label_y: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Radar:
    """The picture of one workshop: rings of 1 to 5, a shape of the scores, and one of those before."""

    axes: tuple[Axis, ...]
    rings: tuple[str, ...]
    shape: str
    earlier: str


def of(row: Agent | Workflow) -> list[Workshop]:
    """The workshops on it, the newest first."""
    about = {"agent": row} if isinstance(row, Agent) else {"workflow": row}
    return list(Workshop.objects.filter(**about).select_related("held_by")[: SHOWN + 1])


def shown(row: Agent | Workflow) -> dict[str, object]:
    """What a page shows of them."""
    found = of(row)
    radar = drawn(found[0], found[1] if len(found) > 1 else None) if found else None
    return {"workshop": found[0] if found else None, "earlier_workshops": found[1:], "radar": radar}


def drawn(now: Workshop, before: Workshop | None) -> Radar:
    """The radar; places are text, so no language writes a comma into them."""
    axes = tuple(_axis(at, name, now, before) for at, name in enumerate(CRITERIA))
    rings = tuple(_points([score] * len(CRITERIA)) for score in range(LEAST, MOST + 1))
    scores = [now.scores[name] for name in CRITERIA]
    return Radar(axes, rings, _points(scores), _points([before.scores[name] for name in CRITERIA]) if before else "")


def _axis(at: int, name: str, now: Workshop, before: Workshop | None) -> Axis:
    end, label = _place(at, RADIUS), _place(at, LABEL)
    across = sin(2 * pi * at / len(CRITERIA))
    anchor = "middle" if abs(across) < 0.1 else "start" if across > 0 else "end"
    return Axis(name, CRITERIA[name], now.scores[name], before.scores[name] if before else None, *end, *label, anchor)


def _place(at: int, radius: float) -> tuple[str, str]:
    turn = 2 * pi * at / len(CRITERIA)
    return f"{MIDDLE_X + radius * sin(turn):.1f}", f"{MIDDLE_Y - radius * cos(turn):.1f}"


def _points(scores: list[int]) -> str:
    return " ".join(",".join(_place(at, RADIUS * score / MOST)) for at, score in enumerate(scores))
