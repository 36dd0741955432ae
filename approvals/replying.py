"""Gets reviewers' questions answered, in a process of its own: agents load slowly, and one may take a minute.

1. Take a question under a lease. Whoever dies meanwhile leaves one that runs out; three times, then it fails.
2. Ask the agent. No transaction is open meanwhile.
3. Write the answer down, if the lease still stands.
"""

from datetime import timedelta
from typing import Final

import orjson
from django.db import transaction
from django.db.models.functions import Now

from agents import answering
from agents.tools.rehearsing import rehearse
from agents.types import Json
from approvals import answers, asking, policy, settling, snoozing
from approvals.models import Gate, Question
from orchestrator import holds
from orchestrator.events import EventKind

LEASE: Final = timedelta(seconds=120)
TRIES: Final = 3
_UNANSWERED: Final = answering.Reply(failure="It could not be asked: it is stopped, or its answers did not arrive.")


def answer_all() -> int:
    """Answer what is asked, one after the other; return how many were answered or failed."""
    answered = 0
    while (taken := _take()) is not None:
        _note(taken, _rehearsed(taken) if taken.tool else _answered(taken))
        answered += 1
    return answered


@transaction.atomic
def _take() -> Question | None:
    found = asking.due().select_for_update(skip_locked=True, of=("self",)).select_related("gate").order_by("id").first()
    if found is None:
        return None
    found.taken_until, found.tries = Now() + LEASE, found.tries + 1
    found.save(update_fields=["taken_until", "tries"])
    return found


def _answered(question: Question) -> answering.Reply:
    asked = _asked(question)
    return answering.ask(asked) if asked else _UNANSWERED


def _rehearsed(question: Question) -> answering.Reply:
    """What the tool's dry run says, as text: it is the tool's word, and shown as such."""
    if question.tries > TRIES:
        return answering.Reply(failure="Its dry run was begun three times and did not end.")
    gate = question.gate
    said, failure = rehearse(question.tool, gate.subject["action"], agent=gate.agent, key=f"rehearsal-{question.pk}")
    return answering.Reply(text=orjson.dumps(said, option=orjson.OPT_INDENT_2).decode(), failure=failure)


def _asked(question: Question) -> answering.Asked | None:
    """What to ask the agent; None where it must not be asked now."""
    gate = question.gate
    held = holds.held_by(gate.run_id, gate.task_id)
    if question.tries > TRIES or (held and "stopped" in held):
        return None
    subject = gate.subject
    return answering.Asked(
        question.agent, question.agent_version, subject["input"], subject["proposal"], question.text,
        key=f"question-{question.pk}",
    )  # fmt: skip


@transaction.atomic
def _note(question: Question, reply: answering.Reply) -> None:
    """Write the answer down, once: whoever lost their lease meanwhile changes nothing."""
    stands = Question.objects.select_for_update().filter(
        pk=question.pk, state=Question.State.ASKED, tries=question.tries
    )
    row = stands.first()
    if row is None:
        return
    gate = question.gate
    row.state = Question.State.FAILED if reply.failure else Question.State.ANSWERED
    row.answer = policy.clean_text(reply.failure or reply.text)[: answering.LONGEST]
    row.differs = _difference(gate, reply.output)
    row.cost, row.answered_at, row.taken_until = reply.cost, Now(), None
    row.save(update_fields=["state", "answer", "differs", "cost", "answered_at", "taken_until"])
    snoozing.news(gate.pk)
    settling.record(EventKind.GATE_ANSWERED, gate, None, question=row.pk, state=row.state, cost=reply.cost)


def _difference(gate: Gate, output: dict[str, Json] | None) -> dict[str, Json] | None:
    """What it would put out now, if that is something else; {} if it is the same."""
    if output is None:
        return None
    cleaned = answers.clean(output) or {}
    return {} if policy.same(cleaned, gate.subject["proposal"]) else cleaned
