"""Gates that need several people: votes as rows, what they add up to, and changes that make them start anew.

A vote counts while the gate's seal is the one it was given for. Whoever calls holds the locks of run and gate.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from agents.types import Json
from approvals import drift, duties, policy
from approvals.errors import CardNotOpen, VotedAlready
from approvals.models import Gate, GateStatus, Presence, Vote
from orchestrator.ports import GateTerms, terms_from_json

AGAINST: Final = ("request_changes", "reject", "terminate")  # the mildest first: that one is carried out
KEYS_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How a gate's votes stand: who said what, what is missing, and what they add up to, if to anything."""

    terms: GateTerms
    votes: tuple[Vote, ...]
    decides: Vote | None = None  # one of those that carry the day

    @property
    def approving(self) -> int:
        """How many people are for the same way on, where most are for one."""
        return max(_counted(self.votes).values(), default=0)

    @property
    def missing(self) -> int:
        """How many more have to vote, or approve where votes are open."""
        counted = len(self.votes) if self.terms.blind else self.approving
        return max(0, self.terms.approvals - counted)

    def of(self, user: User) -> Vote | None:
        """This person's own vote."""
        me = duties.person_of(user)
        return next((vote for vote in self.votes if vote.person == me), None)


def terms_of(gate: Gate) -> GateTerms:
    """Who must agree, as it was sealed with what people see, and as queues it came to since have raised it."""
    sealed = terms_from_json(gate.subject.get("terms") or {})
    return replace(sealed, approvals=gate.approvals) if gate.approvals > sealed.approvals else sealed


def standing(gate: Gate) -> Standing:
    """The votes that count now."""
    terms = terms_of(gate)
    if terms.approvals < 2:
        return Standing(terms, ())
    votes = tuple(_counting(gate).select_related("voter").order_by("id"))
    return Standing(terms, votes, deciding(terms, votes))


def deciding(terms: GateTerms, votes: Sequence[Vote]) -> Vote | None:
    """A vote for what these add up to; None while more people have to speak.

    Where opinions are blind nothing is decided before everybody who is needed has spoken: an end would tell.
    """
    if terms.blind and len(votes) < terms.approvals:
        return None
    agreed = {stance for stance, count in _counted(votes).items() if count >= terms.approvals}
    if agreed:
        return next(vote for vote in reversed(votes) if _stance(vote) in agreed)
    against = sorted((vote for vote in votes if vote.verdict in AGAINST), key=lambda vote: AGAINST.index(vote.verdict))
    return against[0] if len(against) >= terms.rejections else None


def _counted(votes: Sequence[Vote]) -> Counter[str]:
    """How many are for each way on: the same alternative, the same answer, the same verdict."""
    return Counter(_stance(vote) for vote in votes if vote.verdict not in AGAINST)


def _stance(vote: Vote) -> str:
    return vote.verdict if vote.edited is None else f"{vote.verdict} {policy.seal(vote.edited)}"


def cast(gate: Gate, by: User, vote: Vote) -> Standing:
    """Write one vote down and say how they stand; VotedAlready, CardNotOpen. `vote` is unsaved."""
    terms = terms_of(gate)
    me = duties.person_of(by)
    vote.person, vote.seal = me, gate.seal
    mine = Vote.objects.filter(gate=gate, seal=gate.seal, person=me)
    if mine.filter(_alive()).exists():
        raise VotedAlready(gate_id=gate.pk)
    if terms.two_keys:
        vote.turn = mine.count()
        if vote.verdict not in AGAINST:
            _need_presence(gate, me)
            vote.lapses_at = Now() + timedelta(seconds=KEYS_SECONDS)
    vote.save()
    return standing(gate)


def hidden_from(gate: Gate, user: User | None) -> bool:
    """Whether opinions of this gate, people's and the machine's, are kept from this person until they have voted."""
    if not gate.blind or gate.status != GateStatus.OPEN:
        return False
    return user is None or not _counting(gate).filter(person=duties.person_of(user)).exists()


def voted_by(user: User) -> list[int]:
    """Ids of open gates on which this person's vote stands: they wait for others now."""
    mine = Vote.objects.filter(_alive(), person=duties.person_of(user), gate__status=GateStatus.OPEN)
    return list(mine.filter(seal=F("gate__seal")).values_list("gate_id", flat=True))


def amend(gate: Gate, by: User, edited: dict[str, Json]) -> None:
    """Put a changed output up for decision: a new seal, so that votes start anew, and its author has none."""
    before: dict[str, Json] = gate.subject.get("amended") or {"times": 0, "from": gate.subject["proposal"]}
    times = before["times"]
    assert isinstance(times, int)
    drift.remember(gate)
    gate.subject = {**gate.subject, "proposal": edited, "amended": {**before, "times": times + 1}}
    gate.seal = policy.seal(gate.subject)
    gate.version += 1
    gate.barred = sorted({*gate.barred, duties.person_of(by)})
    gate.save(update_fields=["subject", "seal", "version", "barred"])


def _counting(gate: Gate) -> QuerySet[Vote]:
    return Vote.objects.filter(_alive(), gate=gate, seal=gate.seal)


def _alive() -> Q:
    return Q(lapses_at=None) | Q(lapses_at__gt=Now())


def _need_presence(gate: Gate, me: int) -> None:
    """Both have the card open now, by the database's clock: a key is not turned from afar."""
    fresh = Presence.objects.filter(gate=gate, seen_at__gt=Now() - timedelta(seconds=policy.PRESENCE_SECONDS))
    here = set(duties.persons(fresh.values_list("user_id", flat=True)).values())
    if me not in here:
        raise CardNotOpen(gate_id=gate.pk, who="You have")
    if not set(_counting(gate).values_list("person", flat=True)) <= here:
        raise CardNotOpen(gate_id=gate.pk, who="The other one has")
