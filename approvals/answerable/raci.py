"""Who has which part in a matter, and who of those who may act is asked, told and named because of it. Reads only."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group, User
from django.utils.translation import gettext as _

from approvals import deciders, permissions
from approvals.answerable.models import Part
from approvals.models import Gate, Queue
from orchestrator.models import Workflow

type Parts = dict[str, list[Group]]  # by letter

ACTING: Final = (Part.Letter.RESPONSIBLE, Part.Letter.ACCOUNTABLE)
# What somebody must be allowed to do to act in a matter that is about no queue and no workflow.
VERBS: Final = {
    Part.Matter.PROMPTS: "review_prompts", Part.Matter.TOOLS: "edit_policies", Part.Matter.INCIDENTS: "handle_alerts",
}  # fmt: skip
MOST: Final = 500  # rows of the table


@dataclass(frozen=True, slots=True)
class Row:
    """One matter with the teams that have a part in it, and what is missing."""

    matter: str
    title: str
    name: str  # of the queue or workflow
    parts: Parts
    gaps: tuple[str, ...]

    @property
    def cells(self) -> list[tuple[str, list[Group]]]:
        """The teams by letter, in the order of the letters."""
        return [(letter, self.parts.get(letter, [])) for letter in Part.Letter.values]


def parts_of_gate(gate: Gate) -> Parts:
    """The parts in the gate's workflow; where that has none, those in its queue."""
    own = parts(Part.Matter.WORKFLOW, workflow=gate.workflow_id)
    return own or parts(Part.Matter.QUEUE, queue=gate.queue_id)


def parts(matter: str, *, queue: int | None = None, workflow: int | None = None) -> Parts:
    """The teams that have a part in it, by letter."""
    found: Parts = defaultdict(list)
    for part in Part.objects.filter(matter=matter, queue=queue, workflow=workflow).select_related("team"):
        found[part.letter].append(part.team)
    return dict(found)


def asked(found: Parts, able: Sequence[User]) -> list[User]:
    """Of those who may act, who answers for it; all of them where none of them does."""
    chosen = members(found, ACTING)
    return [person for person in able if person.pk in chosen] or list(able)


def asked_about(matter: str, able: Sequence[User]) -> list[User]:
    """The same of a matter that is about no queue and no workflow."""
    return asked(parts(matter), able)


def consulted(gate: Gate, found: Parts) -> list[User]:
    """Who is to say what they think before it is decided: those who may see it."""
    return _seeing(gate, members(found, [Part.Letter.CONSULTED]))


def informed(gate: Gate, found: Parts) -> list[User]:
    """Who is told what was decided: those who may see it."""
    return _seeing(gate, members(found, [Part.Letter.INFORMED, Part.Letter.ACCOUNTABLE]))


def members(found: Parts, letters: Iterable[str]) -> set[int]:
    """The active people in the teams that have one of these parts."""
    teams = {team.pk for letter in letters for team in found.get(letter, ())}
    if not teams:
        return set()
    return set(User.objects.filter(groups__in=teams, is_active=True).values_list("pk", flat=True))


def table() -> list[Row]:
    """Every matter there is with its parts and gaps: the three of the installation, queues, workflows that have any."""
    known: dict[tuple[str, int | None], Parts] = defaultdict(lambda: defaultdict(list))
    for part in Part.objects.select_related("team")[: 10 * MOST]:
        known[part.matter, part.queue_id or part.workflow_id][part.letter].append(part.team)
    able = deciders.by_queue()
    rows = [_row(matter, matter.label, "", known[matter, None], _holders(verb)) for matter, verb in VERBS.items()]
    rows += [
        _row(Part.Matter.QUEUE, queue.title, queue.name, known[Part.Matter.QUEUE, queue.pk], able.get(queue.pk, set()))
        for queue in Queue.objects.order_by("title")[:MOST]
    ]
    ids = [pk for matter, pk in known if matter == Part.Matter.WORKFLOW and pk]
    for workflow in Workflow.objects.filter(pk__in=ids).order_by("title"):
        found = known[Part.Matter.WORKFLOW, workflow.pk]
        everywhere = {user for users in able.values() for user in users}
        rows.append(_row(Part.Matter.WORKFLOW, workflow.title, workflow.name, found, everywhere))
    return rows


def gaps(found: Parts, able: set[int]) -> tuple[str, ...]:
    """What is missing in a matter, where `able` are those who may act in it."""
    if not found:
        return (_("nobody answers for it: everybody who may act is asked"),)
    missing = []
    if not found.get(Part.Letter.ACCOUNTABLE):
        missing.append(_("nobody is accountable"))
    if not found.get(Part.Letter.RESPONSIBLE):
        missing.append(_("nobody is responsible"))
    if not members(found, ACTING) & able:
        missing.append(_("nobody of them may act: everybody who may is asked"))
    return tuple(missing)


def _row(matter: str, title: object, name: str, found: Parts, able: set[int]) -> Row:
    return Row(matter, str(title), name, dict(found), gaps(found, able))


def _holders(verb: str) -> set[int]:
    return {person.pk for person in deciders.holders(verb)}


def _seeing(gate: Gate, people: set[int]) -> list[User]:
    found = User.objects.filter(pk__in=people).order_by("pk")
    return [person for person in found if permissions.can(person, "see_gate", gate)]
