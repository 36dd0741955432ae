"""What the reviewer's screen shows around a card: the list beside it, the decision form, what came of a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.types import Json
from approvals import (
    answers,
    asking,
    desk_db,
    drift,
    forms,
    outline,
    permissions,
    policy,
    queries,
    runways,
    snoozing,
    voting,
    wording,
)
from approvals import risk as risks
from approvals.able import disguise
from approvals.cards import Card, Choice
from approvals.diffs import Change, changes
from approvals.feedback import appraising
from approvals.lists import LIST_LENGTH as LIST_LENGTH
from approvals.lists import Inbox as Inbox
from approvals.lists import Wanted as Wanted
from approvals.lists import inbox as inbox
from approvals.models import Decision, Gate, GateKind, GateStatus, Question, Queue
from orchestrator import acts, rendering
from orchestrator import queries as orchestrator_queries
from orchestrator.acts import Act, Target
from orchestrator.models import Run, task_id
from orchestrator.states import RUN_TERMINAL, RunStatus

PATIENCE: Final = timedelta(seconds=5)  # then a run that has not gone on is said to stand still
_FIRST: Final = ("summary", "recommendation", "key_facts", "conclusion", "rationale")  # of an output's fields
_AS_IT_STANDS: Final = frozenset({"approve", "retry", "skip"})  # verdicts that send no field
_WORK: Final = (GateKind.MANUAL, GateKind.HYBRID, GateKind.DEADLINE, GateKind.REQUEST)  # a form is filled in


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person has typed so far, kept through every refusal."""

    note: str = ""
    verdict: str = ""
    fields: tuple[forms.Field, ...] | None = None
    checked: tuple[str, ...] = ()  # points of the checklist
    appraisal: appraising.Given = field(default_factory=appraising.Given)
    problem: str = ""
    review: tuple[Change, ...] | None = None  # of an edit, before it is sent
    reviewed: str = ""  # seal of the edit that the changes above show
    is_warned: bool = False  # that the verdict drops what was changed in the fields


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of a decision: resumed, ended, waits, paused, pending, or late."""

    state: str
    at: datetime | None
    run: Run

    @property
    def is_open(self) -> bool:
        """Whether it may still change by itself in a moment."""
        return self.state in {"pending", "late"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A question to the agent with its answer, and how what it would put out now differs from what is sealed."""

    question: Question
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One alternative: its place, what the table says of it, and what choosing it does (`answers.how`)."""

    at: int
    cells: tuple[outline.Fact, ...]
    how: str
    changes: tuple[Change, ...] = ()  # between what was proposed and what the run would go on with instead


@dataclass(frozen=True, slots=True)
class Story:
    """What has happened to a gate, and how people decided about the same step of its run before."""

    happened: tuple[drift.Happening, ...]
    earlier: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """One card with everything that its page shows beside what the gate itself says."""

    card: Card
    choices: tuple[Choice, ...]
    action: outline.Outline
    listings: tuple[outline.Listing, ...]  # of the action: what would be done, one by one
    output: tuple[rendering.Piece, ...]
    has_more: bool  # of the output: what is shown in other sections
    instructions: str  # of manual work
    given: tuple[rendering.Piece, ...]
    alternatives: outline.Table
    factors: tuple[str, ...]
    cost: float
    tokens: int
    fields: tuple[forms.Field, ...]
    is_form_open: bool
    is_work: bool  # a form is filled in, and nothing is approved
    typed: Typed
    ways: tuple[Way, ...] = ()
    has_basis: bool = False  # the alternatives say what their estimates rest on
    replies: tuple[Reply, ...] = ()
    may_ask: bool = False  # the agent behind it
    steering: tuple[Act, ...] = ()  # acts on the task that waits: another agent, another input
    further: str = ""  # title of the queue that is asked if it is passed on now
    puts_aside_until: datetime | None = None  # the latest; None where its deadline is too near
    may_take_back: bool = False  # what was approved and has not gone out
    is_own_runway: bool = False
    undoing: tuple[Act, ...] = ()  # of a run that has gone on: what undoes it, with a preview
    runway_s: float = 0.0  # for so long a rejection can be taken back

    @property
    def appraisal(self) -> appraising.Form | None:
        """Rating, reasons and root causes, for the verdict's form: `approvals/feedback/_reasons.html`.

        None where there is no agent's output to say anything of, and nothing is demanded.
        """
        form = appraising.form(self.card.gate, self.typed.appraisal)
        return form if self.card.gate.agent or form.demand else None

    @property
    def guarded(self) -> list[dict[str, str]]:
        """What guardrails did to the data of the call that this is about."""
        return orchestrator_queries.guarded(disguise.told_task(self.card.gate)) if "guarded" in self.card.has else []

    @property
    def folded(self) -> int:
        """How many fields stay out of sight until they are asked for."""
        return sum(field.is_folded for field in self.fields)


def desk(gate: Gate, user: User, typed: Typed | None = None, queues: Sequence[Queue] = ()) -> Desk:
    """The card of a gate that `user` may see, with the form to decide it; `typed` fills the form again."""
    card = queries.card(gate, user, queues)
    typed = typed or _from_draft(card)
    pieces = rendering.pieces(card.proposal)
    shown = tuple(piece for piece in pieces if not _is_shown_elsewhere(piece, card))
    shown = tuple(sorted(shown, key=_place))
    cost, tokens = _usage(disguise.told_run(gate))
    given = dict(card.given)
    instructions = str(given.pop("instructions", "")) if gate.kind in _WORK else ""
    fields = typed.fields if typed.fields is not None else fields_of(card)
    action = outline.outline(card.action)
    without = ({name: value for name, value in option.items() if name != "output"} for option in card.alternatives)
    weighed = outline.table(tuple(without))
    return Desk(
        card=card,
        choices=()
        if card.judges_first
        else tuple(sorted(card.choices, key=lambda choice: wording.BAR.index(choice.verdict))),
        action=action,
        listings=tuple(outline.listing(name, items) for name, items in action.lists),
        output=shown,
        has_more=len(shown) < len(pieces) and not card.hidden,
        instructions=instructions,
        given=tuple(rendering.pieces(given)),
        alternatives=weighed,
        ways=tuple(
            Way(at, cells, answers.how(gate, option) if card.choices else "", _instead(card, option))
            for at, (cells, option) in enumerate(zip(weighed.rows, card.alternatives, strict=True))
        ),
        has_basis=any("basis" in option for option in card.alternatives),
        factors=_factors(card),
        cost=cost,
        tokens=tokens,
        fields=fields,
        is_work=gate.kind in _WORK,
        is_form_open=gate.kind in _WORK or typed.verdict == "edit" or typed.is_warned,
        typed=typed,
        replies=tuple(Reply(one, changes(card.proposal, one.differs) if one.differs else ()) for one in card.questions),
        may_ask=bool(gate.agent) and asking.may_ask(gate, user, card.questions),
        steering=_steering(gate, user) if card.choices else (),
        further=_further(card) if card.choices and disguise.check_of(gate) is None else "",
        puts_aside_until=_latest(gate) if card.choices else None,
        may_take_back=card.runway is not None
        and (card.runway.decided_by_id == user.pk or permissions.can(user, "decide_gate", gate)),
        is_own_runway=card.runway is not None and card.runway.decided_by_id == user.pk,
        undoing=_undoing(gate, user),
        runway_s=runways.seconds(gate, "reject") if card.choices else 0.0,
    )


def _further(card: Card) -> str:
    """Passing it on does what its next deadline would."""
    stage = card.if_nobody_acts[0] if card.if_nobody_acts else None
    return stage.queue if stage is not None and stage.outcome == "escalate" else ""


def _latest(gate: Gate) -> datetime | None:
    latest = snoozing.latest(gate)
    return latest if latest > timezone.now() and disguise.check_of(gate) is None else None


def _instead(card: Card, option: dict[str, Json]) -> tuple[Change, ...]:
    output = option.get("output")
    return changes(card.proposal, output) if isinstance(output, dict) else ()


def _steering(gate: Gate, user: User) -> tuple[Act, ...]:
    """Verdicts that the engine carries out: each with its own preview, reason and right."""
    if gate.task is None or disguise.check_of(gate) is not None:
        return ()
    gate.task.run = gate.run
    return tuple(act for act in acts.possible(user, Target("task", gate.task)) if act.name in ("redirect", "edit"))


def _undoing(gate: Gate, user: User) -> tuple[Act, ...]:
    """After the runway: the run's acts that undo what it has done since, each with a preview of its compensation."""
    if gate.status != GateStatus.APPROVED:
        return ()
    return tuple(act for act in acts.possible(user, Target("run", gate.run)) if act.name in ("undo", "rollback"))


def story(gate: Gate, user: User) -> Story:
    """The gate's history, the newest first; where opinions are blind, without what others said."""
    hidden = voting.hidden_from(gate, user)
    earlier = Decision.objects.filter(gate__run=gate.run_id, gate__step=gate.step, gate_id__lt=gate.pk)
    rows = earlier.select_related("decided_by", "gate").defer("before", "after", "gate__subject").order_by("-id")
    return Story(drift.happened(gate, since=gate.opened_at), () if hidden else tuple(rows[:20]))


def fields_of(card: Card) -> tuple[forms.Field, ...]:
    """The fields of the card's answer; none where no offered verdict carries one."""
    if not any(choice.carries_answer for choice in card.choices):
        return ()
    if card.gate.kind != GateKind.HYBRID:
        return forms.fields_of(card.form, card.proposal)
    # Of a draft only what the form asks for: the answer is the form's, and its fields say which.
    asked = card.form.get("properties")
    names = asked if isinstance(asked, dict) and asked else card.proposal
    return forms.fields_of(card.form, {name: value for name, value in card.proposal.items() if name in names})


def dropped(gate: Gate, verdict: str, posted: Mapping[str, str]) -> tuple[forms.Field, ...] | None:
    """The fields as typed, if something in them was changed that this verdict would not send; else None."""
    if verdict not in _AS_IT_STANDS or not forms.is_filled(posted):
        return None
    proposal = gate.subject["proposal"]
    reading = forms.read(forms.fields_of(answers.schema_of(gate), proposal), proposal, posted)
    return None if reading.is_readable and policy.same(reading.document, proposal) else reading.fields


def review(card: Card, answer: dict[str, Json]) -> tuple[tuple[Change, ...], str]:
    """What an edit changes, and the seal that says this very edit was looked at."""
    return changes(card.proposal, answer), policy.seal(answer)


def aftermath(gate: Gate, run: Run | None = None) -> Aftermath | None:
    """What came of the gate's settlement so far; None while it is open. `run`: its run, if it was read just now."""
    if gate.settled_at is None:
        return None
    run = run or Run.objects.get(pk=gate.run_id)
    if run.status in RUN_TERMINAL:
        return Aftermath("ended", run.ended_at, run)
    if gate.kind in (GateKind.DEADLINE, GateKind.REQUEST):  # nothing waited for it
        return Aftermath("resumed", gate.settled_at, run)
    started, ready = desk_db.gone_on(task_id(run.pk, 0), task_id(run.pk + 1, 0), since=gate.settled_at)
    if started is not None:
        return Aftermath("resumed", started, run)
    if run.status == RunStatus.PAUSED:
        return Aftermath("paused", None, run)
    if not ready:
        return Aftermath("waits", None, run)
    is_late = timezone.now() - gate.settled_at > PATIENCE
    return Aftermath("late" if is_late else "pending", gate.settled_at, run)


def standing(user: User, ids: list[int]) -> tuple[dict[int, str], dict[int, str]]:
    """For rows on a screen that holds still: which are settled and by whom, and who is looking at the others."""
    queues = list(permissions.visible_queues(user).values_list("pk", flat=True))
    gates = Gate.objects.filter(pk__in=ids, queue__in=queues).only("id", "status", "settled_at")
    settled = {gate.pk: settled_words(gate) for gate in gates if gate.status != GateStatus.OPEN}
    still_open = [gate.pk for gate in gates if gate.pk not in settled]
    looking = {pk: looking_words(names) for pk, names in queries.looking_at(user, still_open).items()}
    return settled, looking


def settled_words(gate: Gate) -> str:
    """Who settled a gate, and how: `Approved by Sam Okafor`."""
    decision = gate.decisions.select_related("decided_by").last()
    if decision is None or decision.decided_by is None:
        return str(_("Withdrawn") if decision is None else wording.verdict_look(decision.verdict).done)
    by = decision.decided_by.get_full_name() or decision.decided_by.username
    done = wording.verdict_look(decision.verdict).done
    return _("%(done)s by %(name)s") % {"done": done, "name": by}


def looking_words(names: tuple[str, ...]) -> str:
    """`Ana is looking`."""
    words = ngettext("%(names)s is looking", "%(names)s are looking", len(names))
    return words % {"names": ", ".join(names)}


def _from_draft(card: Card) -> Typed:
    draft = card.draft
    if draft is None:
        return Typed()
    if draft.answer is None:
        return Typed(note=draft.text)
    fields = forms.with_values(fields_of(card), draft.answer)
    return Typed(note=draft.text, fields=fields, verdict="" if card.gate.kind in _WORK else "edit")


def _place(piece: rendering.Piece) -> int:
    """What sums it up comes before the rest, whatever order it was stored in."""
    return _FIRST.index(piece.name) if piece.name in _FIRST else len(_FIRST)


def _is_shown_elsewhere(piece: rendering.Piece, card: Card) -> bool:
    """Evidence, alternatives and the action have sections of their own; the output as stored stays one click away.

    What the agent thinks of its own output is kept from whoever is yet to judge it.
    """
    if card.hidden and piece.name == "confidence":
        return True
    # As it is sealed: a card that keeps opinions back shows the evidence without what the machine found of it.
    elsewhere: list[Json] = [card.gate.subject["evidence"], card.gate.subject["alternatives"]]
    elsewhere += [value for value in card.action.values() if isinstance(value, list | dict)]
    return isinstance(piece.value, list | dict) and any(policy.same(piece.value, value) for value in elsewhere)


def _factors(card: Card) -> tuple[str, ...]:
    """What makes this risky: as it was counted and sealed when the gate opened, and how often it was passed on."""
    gate, subject = card.gate, card.gate.subject
    stored = subject.get("factors")
    if stored is None:  # opened by an earlier release, or nothing counts
        stored = risks.factors(card.action, card.evidence, confidence=gate.confidence, revision=gate.revision)
    passed_on = ngettext("escalated %(n)d time", "escalated %(n)d times", gate.escalations) % {"n": gate.escalations}
    return (*risks.words(stored, hidden=card.hidden), *((passed_on,) if gate.escalations else ()))


def _usage(run_id: int) -> tuple[float, int]:
    return desk_db.spent(task_id(run_id, 0), task_id(run_id + 1, 0))
