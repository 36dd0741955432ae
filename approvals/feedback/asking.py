"""Somebody outside asks for a person: a gate about a whole run for which nothing waits, answered in the inbox."""

from typing import Final

from approvals.feedback.models import Feedback, FeedbackLink
from approvals.gatekeeper import Gatekeeper
from approvals.models import Gate, GateKind, GateStatus
from orchestrator import services
from orchestrator.ports import GateRequest

OPEN_AT_ONCE: Final = 3  # requests of one link; who asks meanwhile is told that people are on it
_DEADLINE: Final = 86_400.0
RULE: Final = "somebody outside asked for a person"


def open_request(link: FeedbackLink, made: Feedback) -> int | None:
    """Put it before people, with the run's lock taken first; None where enough of this link wait already."""
    services.lock_run(link.run_id)
    waiting = Gate.objects.filter(feedback__link=link, status=GateStatus.OPEN).count()
    return None if waiting >= OPEN_AT_ONCE else Gatekeeper().open_gate(_request(link, made))


def _request(link: FeedbackLink, made: Feedback) -> GateRequest:
    return GateRequest(
        task_id=None,
        run_id=link.run_id,
        workflow_id=link.run.workflow_id,
        kind=GateKind.REQUEST.value,
        title=f"Asks for a person: {link.about}"[:300],
        queue=link.queue.name,
        rule=RULE,
        risk="medium",
        proposal={},
        input={"about": link.about, "comment": made.comment, "rating": made.rating, "sentiment": made.sentiment},
        action={},
        allowed=("complete", "reject"),
        deadline_s=_DEADLINE,
        on_timeout="escalate",
        form={
            "type": "object",
            "required": ["reply"],
            "additionalProperties": False,
            "properties": {
                "reply": {
                    "type": "string", "title": "Your answer", "minLength": 1, "maxLength": 4000,
                    "description": "Whoever asked reads it on their receipt, without your name.",
                }
            },
        },
        consequence="Nothing in the run waits for it. Whoever asked reads your answer on their receipt.",
    )  # fmt: skip
