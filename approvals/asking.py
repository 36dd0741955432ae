"""A question to the agent behind a gate, and its answer on the card. It never changes what is up for decision.

The question is a row before anything else happens, so that it outlives every process; `replying` answers it.
"""

from collections.abc import Sequence
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from approvals import permissions, policy, settling, voting
from approvals.able import checks
from approvals.errors import GateNotFound, NotPermitted, QuestionRefused, TextMissing
from approvals.models import Gate, GateStatus, Question
from orchestrator.events import EventKind

LONGEST: Final = 2_000
OPEN_AT_ONCE: Final = 3  # of one gate
MOST: Final = 20  # of one gate


@transaction.atomic
def ask(*, gate_id: int, by: User, text: str) -> Question:
    """Put a question to the agent whose output is up for decision; it is answered soon, on the card."""
    gate = Gate.objects.select_for_update(of=("self",)).select_related("run").filter(pk=gate_id).first()
    if gate is None and checks.shown(gate_id, by) is not None:
        raise QuestionRefused(why="no worker is free for it at the moment; try again later")
    if gate is None or not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate_id)
    if not permissions.can(by, "decide_gate", gate):
        raise NotPermitted(verb="ask the agent")
    text = policy.clean_text(text)
    if not text:
        raise TextMissing
    if problem := _problem(gate, by, text, of(gate)):
        raise QuestionRefused(why=problem)
    made = Question.objects.create(
        gate=gate, asked_by=by, text=text, seal=gate.seal, agent=gate.agent, agent_version=gate.agent_version
    )
    settling.record(EventKind.GATE_ASKED, gate, by, question=made.pk, agent=gate.agent)
    return made


def may_ask(gate: Gate, user: User, asked: Sequence[Question]) -> bool:
    """Whether this person may ask the agent now; `asked`: what was asked before."""
    return permissions.can(user, "decide_gate", gate) and not _problem(gate, user, "?", asked)


def of(gate: Gate) -> list[Question]:
    """The gate's questions, the oldest first."""
    return list(Question.objects.filter(gate_id=gate.pk, tool="").select_related("asked_by")[:MOST])


def rehearse(gate: Gate) -> None:
    """Have the dry run of the tool that the gate's terms name made with its action. In the gate's transaction."""
    if tool := voting.terms_of(gate).rehearse:
        Question.objects.create(
            gate=gate, tool=tool, text="", seal=gate.seal, agent=gate.agent, agent_version=gate.agent_version
        )


def rehearsal(gate: Gate) -> Question | None:
    """The dry run of what the gate asks for."""
    return Question.objects.filter(gate_id=gate.pk).exclude(tool="").last() if voting.terms_of(gate).rehearse else None


def is_due() -> bool:
    """Whether a question waits that nobody is at."""
    return due().exists()


def _problem(gate: Gate, by: User, text: str, asked: Sequence[Question]) -> str:
    if gate.status != GateStatus.OPEN:
        return "the gate is settled"
    if not gate.agent:
        return "no agent is behind it"
    if voting.hidden_from(gate, by):
        return "what the machine says is hidden until you have voted"
    if len(text) > LONGEST:
        return f"a question has at most {LONGEST:,} characters, and this one {len(text):,}"
    if sum(one.state == Question.State.ASKED for one in asked) >= OPEN_AT_ONCE:
        return "wait for the answers to what was asked before"
    return f"{MOST} questions were asked about it; decide, or send it back" if len(asked) >= MOST else ""


def due() -> QuerySet[Question]:
    """Questions that nobody is at."""
    free = Q(taken_until=None) | Q(taken_until__lte=Now())
    return Question.objects.filter(free, state=Question.State.ASKED)
