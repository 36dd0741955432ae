"""Notices because of a part in a matter (RACI) or a turn on call: who is asked first, consulted, informed, called."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User

from agents.models import PolicyVersion
from agents.types import Json
from approvals import deciders, delegation, duties, permissions
from approvals.answerable import calling, raci
from approvals.answerable.models import Part, Rota
from approvals.answerable.raci import Parts
from approvals.models import Gate, Notice
from approvals.notices.models import NoticeKind
from orchestrator.ledger import SealedEvent


@dataclass(slots=True)
class Audience:
    """Who is told of gates, read once for a stretch of the log."""

    away: dict[int, int]
    _asked: dict[int, list[User]] = field(default_factory=dict)  # by queue
    _parts: dict[tuple[int, int], Parts] = field(default_factory=dict)  # by workflow and queue
    _rotas: dict[int, Rota] | None = None  # by queue

    def deciders(self, gate: Gate) -> list[User]:
        """Who is asked to decide: of those who may, who answers for it; nobody with a hand in it; stand-ins."""
        if gate.queue_id not in self._asked:
            self._asked[gate.queue_id] = self._there(deciders.asked(gate.queue))
        able = [person for person in self._asked[gate.queue_id] if not permissions.is_own_request(person, gate)]
        return raci.asked(self.parts(gate), able)

    def first(self, gate: Gate, moment: datetime) -> list[User]:
        """Who is told as soon as it comes: whoever is on call there, or else all who are asked."""
        if self._rotas is None:
            self._rotas = {rota.queue_id: rota for rota in Rota.objects.all()}
        rota = self._rotas.get(gate.queue_id)
        turn = calling.first_told(gate, rota, moment) if rota else None
        there = delegation.stands_in(turn, self.away) if turn is not None else None
        found = list(User.objects.filter(pk=there, is_active=True)) if there is not None else []
        return found or self.deciders(gate)

    def parts(self, gate: Gate) -> Parts:
        """The parts of teams in it."""
        at = gate.workflow_id, gate.queue_id
        if at not in self._parts:
            self._parts[at] = raci.parts_of_gate(gate)
        return self._parts[at]

    def _there(self, people: Sequence[User]) -> list[User]:
        if not self.away:
            return list(people)
        there = (delegation.stands_in(person.pk, self.away) for person in people)
        ids = {pk for pk in there if pk is not None}
        return list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))


def consulted(audience: Audience, gate: Gate, asked: Sequence[User]) -> list[User]:
    """Who is to say what they think of it, and is not asked to decide it."""
    asks = {person.pk for person in asked}
    return [person for person in raci.consulted(gate, audience.parts(gate)) if person.pk not in asks]


def informed(audience: Audience, gate: Gate, by: str) -> list[User]:
    """Who is told what was decided, but for whoever decided it and whoever started the run: they know, or are told."""
    known = {gate.run.started_by_id}
    people = raci.informed(gate, audience.parts(gate))
    return [person for person in people if person.pk not in known and f"user:{person.username}" != by]


def called(event: SealedEvent) -> list[User]:
    """Whose turn it is now, as the call says."""
    return _people(event)


def handed_over(event: SealedEvent) -> list[Notice]:
    """Whoever's turn begins is told that it does, and what waits."""
    facts = event.data or {}
    queue = str(facts.get("queue", ""))
    told: dict[str, Json] = {"queue": queue, "count": facts.get("waiting", 0)}
    return [
        Notice(
            recipient=person, pos=event.pos, kind=NoticeKind.ON_CALL, risk="medium", title="", facts=told,
            path=f"/inbox/?queue={queue}",
        )
        for person in _people(event)
    ]  # fmt: skip


def policy_proposed(event: SealedEvent) -> list[Notice]:
    """A policy that waits for a second person is put before those who may approve it, but not before its author."""
    facts = event.data or {}
    named = {"policy__name": str(facts.get("policy")), "number": facts.get("number")}
    version = PolicyVersion.objects.select_related("policy", "author").filter(**named).first()
    if version is None or version.state != PolicyVersion.State.PROPOSED:
        return []
    author = duties.person_of(version.author) if version.author else 0
    able = [person for person in deciders.holders("edit_policies") if duties.person_of(person) != author]
    told: dict[str, Json] = {
        "policy": version.policy.name, "number": version.number, "by": event.actor.removeprefix("user:"),
    }  # fmt: skip
    return [
        Notice(
            recipient=person, pos=event.pos, kind=NoticeKind.POLICY_WAITS, risk="medium", title=version.policy.name,
            facts=told, path=f"/agents/policies/{version.policy.name}/",
        )
        for person in raci.asked_about(Part.Matter.TOOLS, able)
    ]  # fmt: skip


def _people(event: SealedEvent) -> list[User]:
    found = (event.data or {}).get("to")
    ids = [pk for pk in found if isinstance(pk, int)] if isinstance(found, list) else []
    return list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))
