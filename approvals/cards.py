"""Everything the card of one gate shows, in a bounded number of queries. Agent text in it is hostile: escape it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.models import Assessment
from agents.quality.queries import assessment_of
from agents.types import Json
from approvals import answers, asking, desk_db, duties, permissions, policy, precedents, runways, voting
from approvals.able import disguise, first
from approvals.deadlines import stages
from approvals.diffs import Change, changes
from approvals.models import (
    Comment,
    Decision,
    Draft,
    FirstVerdict,
    Gate,
    GateKind,
    GateStatus,
    Presence,
    Question,
    Queue,
    Runway,
    Verdict,
    Vote,
)
from approvals.permissions import Person
from approvals.precedents import Precedent, Record
from approvals.voting import Standing

_COMMENTS: Final = 200
_EVERYTHING: Final = frozenset({"comments", "presence", "questions", "draft", "first", "assessment", "past", "guarded"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One verdict that this person may give here."""

    verdict: str
    label: str
    needs_note: bool
    carries_answer: bool


@dataclass(frozen=True, slots=True)
class IfNobodyActs:
    """One thing that happens by itself, and when. `outcome`: see `deadlines.Stage`."""

    at: datetime
    outcome: str
    queue: str


@dataclass(frozen=True, slots=True)
class Card:
    """One gate as its reviewer sees it. `refusal` says why this person cannot decide it, if they cannot."""

    gate: Gate
    asks: str
    action: dict[str, Json]
    consequence: str
    rule: str
    matched: tuple[dict[str, Json], ...]  # the clauses of it that hold
    if_nobody_acts: tuple[IfNobodyActs, ...]
    confidence_words: str
    proposal: dict[str, Json]
    given: dict[str, Json]
    form: dict[str, Json]
    evidence: tuple[dict[str, Json], ...]
    alternatives: tuple[dict[str, Json], ...]
    previous: Decision | None
    changes: tuple[Change, ...]
    comments: tuple[Comment, ...]
    looking: tuple[User, ...]
    precedents: tuple[Precedent, ...]
    record: Record | None  # how people decided about its agent at this step
    decision: Decision | None
    choices: tuple[Choice, ...]
    refusal: str
    claimed_by: User | None
    draft: Draft | None
    questions: tuple[Question, ...]  # to the agent
    rehearsal: Question | None  # a dry run of what would be done
    runway: Runway | None  # an approval that has not gone out yet
    assessment: Assessment | None  # of the output under review, where its step asks for one
    standing: Standing  # of the votes, where several people must agree
    hidden: bool  # what others and the machine said of it, until this person has voted or judged
    judges_first: bool  # they are asked for their own judgement before that
    own_first: FirstVerdict | None  # what they judged then
    person: int  # id of the viewer's main account
    has: frozenset[str]  # of what few gates have: see `desk_db.attached`

    @property
    def is_approved_by_time(self) -> bool:
        """Whether silence would let it pass; only where its definition says so, and never at high risk."""
        return any(stage.outcome == "approve" for stage in self.if_nobody_acts)

    @property
    def first_offered(self) -> tuple[str, ...]:
        """The judgements that they may give before they see what the machine thinks."""
        return first.offered(self.gate) if self.judges_first else ()

    @property
    def own_vote(self) -> Vote | None:
        """This person's vote that counts now."""
        return next((vote for vote in self.standing.votes if vote.person == self.person), None)


def card(gate: Gate, user: Person, queues: Sequence[Queue] = ()) -> Card:
    """The card of a gate that `user` may see (`queries.get_visible_gate_or_404` loads it).

    `queues`: all of them, if they have been read for the page already.
    """
    hidden = voting.hidden_from(gate, user if isinstance(user, User) else None)
    whole = _card(gate, user, queues)
    return _blinded(whole, user) if hidden or whole.judges_first else whole


def _blinded(whole: "Card", user: Person) -> "Card":
    """The card without opinions, and its evidence in an order of this person's own: nobody follows another's eyes."""
    gate = whole.gate
    own = str(user.pk)
    shuffled = sorted(whole.evidence, key=lambda item: policy.seal([own, gate.pk, item]))
    voters = {vote.voter_id for vote in whole.standing.votes}
    return replace(
        whole,
        hidden=True,
        confidence_words="",
        matched=(),
        questions=(),
        assessment=None,
        record=None,
        evidence=tuple({name: value for name, value in item.items() if name != "status"} for item in shuffled),
        comments=tuple(remark for remark in whole.comments if remark.author_id not in voters),
    )


def _card(gate: Gate, user: Person, queues: Sequence[Queue]) -> "Card":
    subject, previous, stand = gate.subject, _previous(gate), voting.standing(gate)
    there = _attached(gate, user)
    has_judged = "first" in there and first.concerns(gate)
    own_first = first.of(gate, user) if isinstance(user, User) and has_judged else None
    return Card(
        gate=gate,
        asks=f"{gate.agent} v{gate.agent_version}" if gate.agent and gate.agent_version else gate.agent,
        action=subject["action"],
        consequence=subject["consequence"],
        rule=gate.rule,
        matched=tuple(subject.get("matched", ())),
        if_nobody_acts=_if_nobody_acts(gate, queues),
        confidence_words=policy.confidence_words(gate.confidence),
        proposal=subject["proposal"],
        given=subject["input"],
        form=answers.schema_of(gate) if gate.status == GateStatus.OPEN else subject["form"],
        evidence=tuple(subject["evidence"]),
        alternatives=tuple(subject["alternatives"]),
        previous=previous,
        changes=changes(previous.before, subject["proposal"]) if previous else _edit(gate),
        comments=_comments(gate) if "comments" in there else (),
        looking=tuple(who_is_looking(gate, apart_from=user)) if "presence" in there else (),
        precedents=precedents.nearest(gate, user) if "past" in there else (),
        record=precedents.record(gate) if gate.agent and "past" in there else None,
        decision=gate.decisions.select_related("decided_by").last() if gate.status != GateStatus.OPEN else None,
        choices=_choices(gate, user, stand),
        refusal=_refusal(gate, user),
        claimed_by=_claimed_by(gate),
        draft=_draft(gate, user) if "draft" in there else None,
        runway=runways.live(gate),
        questions=tuple(asking.of(gate)) if gate.agent and "questions" in there else (),
        rehearsal=asking.rehearsal(gate) if "questions" in there else None,
        assessment=_assessment(gate) if gate.agent and "assessment" in there else None,
        standing=stand,
        hidden=False,
        judges_first=own_first is None and isinstance(user, User) and first.asks(gate, user),
        own_first=own_first,
        person=duties.person_of(user) if isinstance(user, User) else 0,
        has=there,
    )


def _attached(gate: Gate, user: Person) -> frozenset[str]:
    if disguise.check_of(gate) is not None:  # what it has is kept elsewhere
        return _EVERYTHING
    return desk_db.attached(
        gate.pk, user.pk or 0, run=gate.run_id, task=gate.task_id, workflow=gate.workflow_id, step=gate.step
    )


def _assessment(gate: Gate) -> Assessment | None:
    task = disguise.told_task(gate)
    return assessment_of(task) if task is not None else None


def _comments(gate: Gate) -> tuple[Comment, ...]:
    check = disguise.check_of(gate)
    return disguise.remarks(check, gate) if check else tuple(gate.comments.select_related("author")[:_COMMENTS])


def _draft(gate: Gate, user: Person) -> Draft | None:
    check = disguise.check_of(gate)
    return disguise.draft(check, gate) if check else Draft.objects.filter(gate=gate, author_id=user.pk or 0).first()


def who_is_looking(gate: Gate, *, apart_from: Person | None = None) -> list[User]:
    """Who has the gate's card open now."""
    fresh = Presence.objects.filter(gate=gate, seen_at__gt=Now() - timedelta(seconds=policy.PRESENCE_SECONDS))
    others = fresh.exclude(user_id=apart_from.pk) if apart_from and apart_from.pk else fresh
    return [presence.user for presence in others.select_related("user").order_by("user_id")]


def _if_nobody_acts(gate: Gate, queues: Sequence[Queue]) -> tuple[IfNobodyActs, ...]:
    if gate.status != GateStatus.OPEN or gate.releases_at is not None:
        return ()
    return tuple(
        IfNobodyActs(stage.at, stage.outcome, stage.queue.title if stage.queue else "")
        for stage in stages(gate, queues or list(Queue.objects.all()))
    )


def _previous(gate: Gate) -> Decision | None:
    if not gate.revision or gate.task_id is None:
        return None
    returned = Decision.objects.filter(gate__task_id=gate.task_id, gate_id__lt=gate.pk, verdict=Verdict.REQUEST_CHANGES)
    return returned.select_related("decided_by").order_by("-id").first()


def _edit(gate: Gate) -> tuple[Change, ...]:
    verdict = Verdict.COMPLETE if gate.kind == GateKind.HYBRID else Verdict.EDIT
    edited = gate.decisions.filter(verdict=verdict).first() if gate.status == GateStatus.APPROVED else None
    return changes(edited.before, edited.after) if edited else ()


def _choices(gate: Gate, user: Person, stand: Standing) -> tuple[Choice, ...]:
    is_up = gate.status == GateStatus.OPEN and gate.releases_at is None
    if not is_up or not permissions.can(user, "decide_gate", gate):
        return ()
    if isinstance(user, User) and stand.of(user) is not None:
        return ()
    return tuple(
        Choice(
            verdict, str(Verdict(verdict).label), policy.needs_note(verdict, gate.risk), policy.carries_answer(verdict)
        )
        for verdict in gate.allowed
        if verdict in Verdict.values
    )


def _refusal(gate: Gate, user: Person) -> str:
    if gate.status != GateStatus.OPEN:
        return ""
    if isinstance(user, User) and permissions.is_own_request(user, gate):
        return _("%(why)s: someone else decides.") % {"why": duties.why_barred(user, gate)}
    if not permissions.can(user, "decide_gate", gate):
        words = _("You may look; deciding in %(queue)s is not among your rights. An administrator can grant it.")
        return words % {"queue": gate.queue.title}
    return ""


def _claimed_by(gate: Gate) -> User | None:
    if check := disguise.check_of(gate):
        return check.reviewer if check.claimed_until and check.claimed_until > timezone.now() else None
    fresh = gate.claimed_by_id and Gate.objects.filter(pk=gate.pk, claimed_until__gt=Now()).exists()
    return gate.claimed_by if fresh else None
