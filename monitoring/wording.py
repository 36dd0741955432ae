"""Say events in words: what happened, to what, by whom. Pure apart from translation."""

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.story import said_reason

type Facts = Mapping[str, Json]

KINDS: Final[Mapping[str, Promise]] = {
    "run.started": gettext_lazy("Run started"),
    "run.paused": gettext_lazy("Run paused"),
    "run.resumed": gettext_lazy("Run resumed"),
    "run.cancelled": gettext_lazy("Run cancelled"),
    "run.succeeded": gettext_lazy("Run finished"),
    "run.failed": gettext_lazy("Run failed"),
    "run.retried": gettext_lazy("Run tried again"),
    "run.priority_changed": gettext_lazy("Run's priority changed"),
    "run.deadline_changed": gettext_lazy("Run's deadline changed"),
    "run.deadline_passed": gettext_lazy("Run past its deadline"),
    "run.migrated": gettext_lazy("Run moved to another version"),
    "run.queued": gettext_lazy("Run queued: its workflow is at its limit"),
    "run.admitted": gettext_lazy("Queued run started"),
    "run.compensating": gettext_lazy("Run is being undone"),
    "run.accepted": gettext_lazy("Incomplete result accepted"),
    "run.single_agent": gettext_lazy("Run given to one agent"),
    "run.partly_succeeded": gettext_lazy("Run finished in part"),
    "task.started": gettext_lazy("Task started"),
    "task.succeeded": gettext_lazy("Task finished"),
    "task.skipped": gettext_lazy("Task skipped"),
    "agent.targets_set": gettext_lazy("Agent's targets set"),
    "agent.canary_started": gettext_lazy("Canary started"),
    "agent.canary_ended": gettext_lazy("Canary ended"),
    "agent.canary_rolled_back": gettext_lazy("Canary rolled back: it did worse"),
    "agent.promoted": gettext_lazy("Agent's version promoted"),
    "agent.reverted": gettext_lazy("Agent's version reverted"),
    "agent.described": gettext_lazy("Agent's owner, domains or authority changed"),
    "agent.item_opened": gettext_lazy("Item opened about an agent"),
    "agent.item_closed": gettext_lazy("Item about an agent closed"),
    "agent.started": gettext_lazy("Agent brought into service"),
    "agent.terminated": gettext_lazy("Agent terminated"),
    "agent.restarted": gettext_lazy("Agent's steps restarted from their checkpoints"),
    "agent.silent": gettext_lazy("Agent fell silent"),
    "agent.heard": gettext_lazy("Agent heard again"),
    "agent.widening_asked": gettext_lazy("More authority asked for an agent"),
    "agent.widening_refused": gettext_lazy("More authority for an agent refused"),
    "quality.assessed": gettext_lazy("Quality assessed"),
    "quality.calibrated": gettext_lazy("Confidence calibrated"),
    "quality.authority_changed": gettext_lazy("Authority weights changed"),
    "evaluation.finished": gettext_lazy("Evaluation finished"),
    "evaluation.item_closed": gettext_lazy("Failed evaluation closed"),
    "dataset.kept": gettext_lazy("Dataset kept"),
    "guardian.raised": gettext_lazy("Guardian raised a concern"),
    "guardian.held": gettext_lazy("Guardian held an output"),
    "task.failed": gettext_lazy("Task failed"),
    "task.retry_scheduled": gettext_lazy("Task will be tried again"),
    "task.returned": gettext_lazy("Task returned by a stop"),
    "task.waiting": gettext_lazy("Task waits"),
    "task.cancelled": gettext_lazy("Task cancelled"),
    "task.lost": gettext_lazy("Worker lost, task returned"),
    "run.stranded": gettext_lazy("Run stranded"),
    "task.spawned": gettext_lazy("Tasks started by a task"),
    "task.late_result": gettext_lazy("Late result kept apart"),
    "task.released": gettext_lazy("Task handed back"),
    "task.revised": gettext_lazy("Task sent back to its agent"),
    "task.copied": gettext_lazy("Task copied from another run"),
    "task.rolled_back": gettext_lazy("Task set back"),
    "task.restarted": gettext_lazy("Agent restarted"),
    "task.terminated": gettext_lazy("Agent stopped"),
    "run.forked": gettext_lazy("Run forked"),
    "run.rolled_back": gettext_lazy("Run rolled back"),
    "state.written": gettext_lazy("Shared state written"),
    "finding.discovered": gettext_lazy("Agent found something"),
    "checkpoint.made": gettext_lazy("Checkpoint saved"),
    "secret.rotated": gettext_lazy("Secret has a new version"),
    "conflict.found": gettext_lazy("Conflict found"),
    "conflict.resolved": gettext_lazy("Conflict settled"),
    "task.assigned": gettext_lazy("Agent chosen for a task"),
    "budget.warned": gettext_lazy("Budget running low"),
    "budget.exceeded": gettext_lazy("Budget used up"),
    "budget.changed": gettext_lazy("Budget changed"),
    "policy.refused": gettext_lazy("Refused by policy"),
    "task.edited": gettext_lazy("Task's input edited"),
    "task.redirected": gettext_lazy("Task given to another agent"),
    "task.noted": gettext_lazy("Something said to a task"),
    "signal.published": gettext_lazy("Signal published"),
    "signal.refused": gettext_lazy("Signal did not fit"),
    "callback.received": gettext_lazy("Call back received early"),
    "callback.issued": gettext_lazy("New address for a call back"),
    "group.created": gettext_lazy("Consumer group made"),
    "group.enabled": gettext_lazy("Consumer group goes on"),
    "group.disabled": gettext_lazy("Consumer group stopped"),
    "group.replayed": gettext_lazy("Signals replayed"),
    "group.removed": gettext_lazy("Consumer group removed"),
    "group.refused": gettext_lazy("Signal not handed on"),
    "schedule.created": gettext_lazy("Schedule made"),
    "schedule.changed": gettext_lazy("Schedule changed"),
    "schedule.paused": gettext_lazy("Schedule paused"),
    "schedule.resumed": gettext_lazy("Schedule resumed"),
    "schedule.removed": gettext_lazy("Schedule removed"),
    "schedule.backfilled": gettext_lazy("Missed starts of a schedule made up for"),
    "schedule.fired": gettext_lazy("Run started by a schedule"),
    "schedule.queued": gettext_lazy("Scheduled run waits for an earlier one"),
    "schedule.skipped": gettext_lazy("Scheduled run left out"),
    "schedule.refused": gettext_lazy("Scheduled run could not start"),
    "task.fell_back": gettext_lazy("Task given to its fallback agent"),
    "task.held_back": gettext_lazy("Task waits: its agent is out of service"),
    "task.reopened": gettext_lazy("Tasks to be done again"),
    "task.let_go": gettext_lazy("Task goes on: its agent may work again"),
    "gate.opened": gettext_lazy("Gate opened"),
    "gate.claimed": gettext_lazy("Gate claimed"),
    "gate.released": gettext_lazy("Gate let go"),
    "gate.commented": gettext_lazy("Comment on a gate"),
    "gate.escalated": gettext_lazy("Gate escalated"),
    "gate.voted": gettext_lazy("Vote on a gate"),
    "gate.amended": gettext_lazy("Gate changed by a reviewer"),
    "gate.assigned": gettext_lazy("Gate handed to a person"),
    "gate.stranded": gettext_lazy("Gate without people"),
    "gate.mended": gettext_lazy("Gate has people again"),
    "queue.changed": gettext_lazy("Queue changed"),
    "queue.handed_over": gettext_lazy("On call handed over"),
    "responsibility.changed": gettext_lazy("Responsibility changed"),
    "delegation.made": gettext_lazy("Somebody stands in"),
    "delegation.ended": gettext_lazy("Standing in ended"),
    "feedback.given": gettext_lazy("Feedback given"),
    "feedback.answered": gettext_lazy("Feedback answered"),
    "feedback.link_made": gettext_lazy("Link for feedback made"),
    "feedback.link_revoked": gettext_lazy("Link for feedback revoked"),
    "improvement.opened": gettext_lazy("Improvement asked for"),
    "improvement.closed": gettext_lazy("Improvement closed"),
    "retrospective.held": gettext_lazy("Retrospective kept"),
    "usability.recorded": gettext_lazy("Usability tests recorded"),
    "usability.found": gettext_lazy("Usability finding recorded"),
    "usability.closed": gettext_lazy("Usability finding closed"),
    "lesson.chosen": gettext_lazy("Correction judged as an example"),
    "lesson.drafted": gettext_lazy("Examples put into a prompt's draft"),
    "proposal.made": gettext_lazy("Change of a gate proposed"),
    "proposal.seconded": gettext_lazy("Proposal needs a second person"),
    "proposal.accepted": gettext_lazy("Proposal accepted"),
    "proposal.declined": gettext_lazy("Proposal declined"),
    "gate.reminded": gettext_lazy("Gate due soon"),
    "gate.called": gettext_lazy("Next on call called"),
    "gate.approved": gettext_lazy("Gate approved, and not out yet"),
    "gate.turned_down": gettext_lazy("Gate rejected, and not out yet"),
    "gate.held": gettext_lazy("Approval held back by a stop or pause"),
    "gate.taken_back": gettext_lazy("Approval taken back"),
    "gate.asked": gettext_lazy("Question to an agent about a gate"),
    "gate.answered": gettext_lazy("Agent's answer about a gate"),
    "gate.decided": gettext_lazy("Gate decided"),
    "gate.withdrawn": gettext_lazy("Gate withdrawn"),
    "gate.refused": gettext_lazy("Decision refused"),
    "stop.set": gettext_lazy("Stop set"),
    "stop.lifted": gettext_lazy("Stop lifted"),
    "stop.measured": gettext_lazy("Stop took effect"),
    "alert.raised": gettext_lazy("Alert raised"),
    "alert.resolved": gettext_lazy("What an alert told of is over"),
    "alert.acknowledged": gettext_lazy("Alert acknowledged"),
    "alert.assigned": gettext_lazy("Alert handed to a person"),
    "alert.escalated": gettext_lazy("Alert passed on: nobody answered"),
    "alert.silenced": gettext_lazy("Alerts silenced"),
    "alert.unsilenced": gettext_lazy("Silence of alerts ended"),
    "alert.step_done": gettext_lazy("Step of a runbook done"),
    "alert.rule_changed": gettext_lazy("Alert rule changed"),
    "alert.rotation_changed": gettext_lazy("On-call rotation changed"),
    "alert.drilled": gettext_lazy("Game day recorded"),
    "breaker.opened": gettext_lazy("Agent taken out of service"),
    "breaker.half_opened": gettext_lazy("Agent is tried once"),
    "breaker.closed": gettext_lazy("Agent back in service"),
    "breaker.reset": gettext_lazy("Agent put back into service by a person"),
    "breaker.configured": gettext_lazy("Agent's breaker changed"),
    "tool.called": gettext_lazy("Tool called"),
    "tool.asked": gettext_lazy("Call of a tool waits for people"),
    "tool.refused": gettext_lazy("Call of a tool refused"),
    "tool.limits_changed": gettext_lazy("Tool's limits changed"),
    "tool.reset": gettext_lazy("Tool put back into service by a person"),
    "policy.proposed": gettext_lazy("Policy proposed"),
    "policy.activated": gettext_lazy("Policy put in force"),
    "policy.rejected": gettext_lazy("Policy refused"),
    "entitlement.revoked": gettext_lazy("Entitlement taken away"),
    "entitlement.restored": gettext_lazy("Entitlement given back"),
    "message.sent": gettext_lazy("Messages sent"),
    "message.expired": gettext_lazy("Messages not read in time"),
    "message.refused": gettext_lazy("Message refused"),
    "message.dead_lettered": gettext_lazy("Message failed too often"),
    "message.requeued": gettext_lazy("Dead letters put back"),
    "message.dropped": gettext_lazy("Dead letter given up"),
    "retention.applied": gettext_lazy("Old records deleted"),
    "retention.held": gettext_lazy("Held from deletion"),
    "retention.released": gettext_lazy("No longer held from deletion"),
    "retention.rule_changed": gettext_lazy("Rule of deletion changed"),
    "audit.exported": gettext_lazy("Evidence handed over"),
    "objective.set": gettext_lazy("Promised of a workflow"),
    "objective.withdrawn": gettext_lazy("No longer promised of a workflow"),
    "baseline.stated": gettext_lazy("Time by hand stated"),
    "tier.set": gettext_lazy("Team's tier set"),
    "tier.sponsored": gettext_lazy("Team's gold tier sponsored"),
    "digest.made": gettext_lazy("Digest made"),
    "message.restored": gettext_lazy("Dead letters made again"),
    "message.replayed": gettext_lazy("Messages replayed"),
    "subscription.added": gettext_lazy("Subscription made"),
    "subscription.enabled": gettext_lazy("Subscription goes on"),
    "subscription.disabled": gettext_lazy("Subscription stopped"),
    "subscription.removed": gettext_lazy("Subscription removed"),
    "bridge.up": gettext_lazy("Bridge takes messages"),
    "bridge.down": gettext_lazy("Bridge is down"),
    "bridge.failed_over": gettext_lazy("Messages go by another bridge"),
    "agent.registered": gettext_lazy("Agent registered"),
    "agent.limits_changed": gettext_lazy("Agent's limits changed"),
    "workflow.published": gettext_lazy("Workflow published"),
    "workflow.pattern_chosen": gettext_lazy("Workflow's pattern chosen"),
    "workflow.installed": gettext_lazy("Template installed"),
    "workflow.advice_kept": gettext_lazy("Advisor's verdict kept"),
    "workflow.staffed": gettext_lazy("Workflow's agents switched"),
    "workflow.version_deprecated": gettext_lazy("Workflow version deprecated"),
    "workflow.version_restored": gettext_lazy("Workflow version no longer deprecated"),
    "workflow.version_certified": gettext_lazy("Workflow version certified"),
    "workflow.version_decertified": gettext_lazy("Workflow version no longer certified"),
    "workflow.frozen": gettext_lazy("Workflow frozen"),
    "workflow.unfrozen": gettext_lazy("Workflow can be changed again"),
    "workflow.weight_changed": gettext_lazy("Workflow's share of the workers changed"),
    "permission.granted": gettext_lazy("Permission granted"),
    "permission.revoked": gettext_lazy("Permission revoked"),
    "role.granted": gettext_lazy("Role granted"),
    "role.revoked": gettext_lazy("Role revoked"),
    "team.made": gettext_lazy("Team made"),
    "team.placed": gettext_lazy("Team's kind changed"),
    "team.removed": gettext_lazy("Team removed"),
    "team.person_added": gettext_lazy("Person added to a team"),
    "team.person_removed": gettext_lazy("Person removed from a team"),
    "token.created": gettext_lazy("Token created"),
    "token.revoked": gettext_lazy("Token revoked"),
    "session.signed_in": gettext_lazy("Signed in"),
    "session.signed_out": gettext_lazy("Signed out"),
    "notice.channel_added": gettext_lazy("Channel for notices added"),
    "notice.channel_changed": gettext_lazy("Channel for notices changed"),
    "notice.channel_removed": gettext_lazy("Channel for notices removed"),
    "oversight.case_confirmed": gettext_lazy("Hidden check confirmed"),
    "oversight.case_retired": gettext_lazy("Hidden check retired"),
    "oversight.ruled": gettext_lazy("Disagreement of reviewers settled"),
    "oversight.promised": gettext_lazy("Promise to reviewers changed"),
    "oversight.attended": gettext_lazy("Queue attended again"),
    "oversight.unattended": gettext_lazy("Queue unattended: safe mode"),
    "workflow.paced": gettext_lazy("Workflow at the pace of its people"),
    "workflow.unpaced": gettext_lazy("Workflow at full pace again"),
    "workflow.full_pace": gettext_lazy("Workflow let go at full pace by a person"),
    "task.guarded": gettext_lazy("Data of a task masked or stripped"),
    "guard.violated": gettext_lazy("Guardrail broken"),
    "guard.spiked": gettext_lazy("Agent frozen after violations"),
    "data.revealed": gettext_lazy("Sealed data looked at"),
    "data.rule_changed": gettext_lazy("Rule for data changed"),
    "consent.granted": gettext_lazy("Consent given"),
    "consent.withdrawn": gettext_lazy("Consent withdrawn"),
    "memory.kept": gettext_lazy("Kept in memory"),
    "memory.refused": gettext_lazy("Refused for the memory"),
    "memory.quarantined": gettext_lazy("Memory held for people to look at"),
    "memory.released": gettext_lazy("Held memory let in"),
    "memory.corrected": gettext_lazy("Memory corrected"),
    "memory.deleted": gettext_lazy("Memory deleted"),
    "memory.erased": gettext_lazy("Memory of a person erased"),
    "prompt.drafted": gettext_lazy("Prompt drafted"),
    "prompt.changed": gettext_lazy("Prompt's draft changed"),
    "prompt.submitted": gettext_lazy("Prompt submitted for review"),
    "prompt.returned": gettext_lazy("Prompt returned to its author"),
    "prompt.evaluated": gettext_lazy("Prompt evaluated"),
    "prompt.published": gettext_lazy("Prompt published"),
    "model.downgraded": gettext_lazy("Cheaper model used: a budget is tight"),
    "model.restored": gettext_lazy("Usual model used again"),
    "role.made": gettext_lazy("Role made"),
    "role.changed": gettext_lazy("Role changed"),
    "role.removed": gettext_lazy("Role removed"),
    "access.proposed": gettext_lazy("Change of access proposed"),
    "access.confirmed": gettext_lazy("Change of access confirmed"),
    "access.refused": gettext_lazy("Change of access refused"),
    "account.invited": gettext_lazy("Person invited"),
    "account.link_made": gettext_lazy("Link to sign in made"),
    "account.link_ended": gettext_lazy("Link to sign in ended"),
    "account.joined": gettext_lazy("Person joined"),
    "account.closed": gettext_lazy("Account closed"),
    "account.linked": gettext_lazy("Accounts linked"),
    "account.changed": gettext_lazy("Account changed"),
    "account.secured": gettext_lazy("Account's security changed"),
    "session.ended": gettext_lazy("Session ended"),
    "session.viewed_as": gettext_lazy("Looked as somebody else"),
    "session.view_ended": gettext_lazy("Look as somebody else ended"),
    "session.on_wall": gettext_lazy("Session left on a wall screen"),
}
VERDICTS: Final[Mapping[str, Promise]] = {
    "approve": gettext_lazy("approved"),
    "edit": gettext_lazy("approved with edits"),
    "request_changes": gettext_lazy("sent back with a note"),
    "complete": gettext_lazy("work done"),
    "retry": gettext_lazy("to be tried again"),
    "skip": gettext_lazy("to go on without it"),
    "extend": gettext_lazy("given another deadline"),
    "go_on": gettext_lazy("let go on past its deadline"),
    "reject": gettext_lazy("rejected"),
    "terminate": gettext_lazy("run ended"),
    "expire": gettext_lazy("expired undecided"),
}


def title(kind: str) -> str:
    """What happened, in a few words; an unknown kind stands for itself."""
    return str(KINDS.get(kind, kind))


def tone(kind: str, facts: Facts) -> str:
    """The semantic colour of an event; a decision's is its verdict's."""
    if kind == "gate.decided":
        return {"reject": "failed", "terminate": "failed", "expire": "failed", "request_changes": "waiting"}.get(
            str(facts.get("verdict")), "good"
        )
    return _TONES.get(kind.rpartition(".")[2], "idle")


def actor(name: str) -> str:
    """`user:ana` as ana; the engine and its shifts as the engine."""
    family, _colon, rest = name.partition(":")
    return _("engine") if family in {"engine", "shift"} else rest or family


def detail(facts: Facts) -> str:
    """The facts worth a glance, most telling first."""
    found = [
        word for name, say in _FACTS.items() if (word := say(facts[name]) if facts.get(name) not in (None, "") else "")
    ]
    return " · ".join(found[:3])


def _verdict(value: Json) -> str:
    return str(VERDICTS.get(str(value), value))


def _text(value: Json) -> str:
    text = str(value) if isinstance(value, str | int) else ""
    return text if len(text) <= 120 else text[:119] + "…"


def _reason(value: Json) -> str:
    return said_reason(_text(value))


def _name(value: Json) -> str:
    """A username; a number says nothing to a reader."""
    return _text(value) if isinstance(value, str) else ""


def _labelled(label: Promise) -> Callable[[Json], str]:
    return lambda value: f"{label} {_text(value)}"


def _confidence(value: Json) -> str:
    return _("confidence %(value).2f") % {"value": value} if isinstance(value, float | int) else ""


def _hidden(_value: Json) -> str:
    return _("hidden until you have said what you think of it")


_FACTS: Final[Mapping[str, Callable[[Json], str]]] = {
    "verdict": _verdict,
    "hidden": _hidden,
    "confidence": _confidence,
    "code": _text,
    "problem": _text,
    "message": _text,
    "name": _text,
    "group": _labelled(gettext_lazy("group")),
    "signal": _labelled(gettext_lazy("signal")),
    "schedule": _labelled(gettext_lazy("schedule")),
    "to": _labelled(gettext_lazy("to")),
    "role": _text,
    "permission": _text,
    "user": _name,
    "reason": _reason,
    "note": _text,
    "words": _text,
    "agent": _labelled(gettext_lazy("agent")),
    "queue": _labelled(gettext_lazy("queue")),
    "gate": _labelled(gettext_lazy("gate")),
    "returned": _labelled(gettext_lazy("tasks returned:")),
    "tasks": _labelled(gettext_lazy("tasks:")),
}
_TONES: Final = {
    "approved": "good", "succeeded": "good", "resumed": "good", "lifted": "good",
    "partly_succeeded": "waiting", "compensating": "waiting", "queued": "waiting", "admitted": "running",
    "fell_back": "waiting", "held_back": "waiting", "let_go": "running", "half_opened": "waiting",
    "fired": "running",
    "closed": "good", "reset": "good",
    "failed": "failed", "lost": "failed", "refused": "failed", "late_result": "failed",
    "opened": "waiting", "waiting": "waiting", "escalated": "waiting", "retry_scheduled": "waiting",
    "revised": "waiting", "started": "running", "retried": "running",
    "raised": "failed", "resolved": "good", "acknowledged": "good", "silenced": "stopped",
    "set": "stopped", "measured": "stopped", "paused": "stopped", "cancelled": "stopped", "withdrawn": "stopped",
    "returned": "stopped", "warned": "waiting", "exceeded": "failed", "changed": "stopped",
}  # fmt: skip
