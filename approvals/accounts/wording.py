"""The rights in sentences: what each lets somebody do, and in which group the matrix of roles lists it."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.roles import VERBS

TOLD: Final[Mapping[str, Promise]] = {
    "see_floor": _("Open the watch floor: what waits, runs, fails and costs, at a glance."),
    "see_runs": _("Open every run with what it was given and put out, and every workflow."),
    "see_gate": _("Read what waits for people, and what was decided and why."),
    "see_agents": _("Read the registry of agents, their versions, tools, policies and quality."),
    "see_messages": _("Read what agents write to each other."),
    "start_run": _("Start a run of any workflow."),
    "steer_run": _("Pause, resume, cancel, retry and redirect runs and their steps."),
    "publish_version": _("Publish a workflow’s text; it says who is asked what, so this moves gates, too."),
    "stop_workflow": _("Stop everything that one workflow does."),
    "stop_everything": _("Stop every agent and run at once."),
    "lift_stop": _("Let go on what was stopped."),
    "release_agent": _("Let an agent go on that its guardrails froze after too many violations."),
    "decide_gate": _("Approve, reject or send back what agents propose, in every queue."),
    "edit_queues": _("Make queues, set their hours and where they escalate to, hand waiting decisions to people."),
    "edit_agents": _("Register agents, set their limits, freeze them and let them go on."),
    "edit_policies": _("Propose which agent may call which tool, and approve what others propose."),
    "edit_quality": _("Edit datasets and calibration, close items of evaluations."),
    "review_prompts": _("Review prompts that others wrote, and publish them."),
    "manage_messages": _("Send and replay messages, change who hears what, put dead letters back."),
    "work_as_agent": _("Fetch work and answer it, as a program outside does."),
    "see_audit": _("Search the record of who did what, when and why."),
    "verify_audit": _("Prove that the record is whole, and take evidence out."),
    "manage_access": _("Make and close accounts, give and take roles and rights. Grave ones take a second person."),
    "use_api": _("Call the API and make tokens for it."),
}
GROUPS: Final[tuple[tuple[Promise, tuple[str, ...]], ...]] = (
    (_("Look"), ("see_floor", "see_runs", "see_gate", "see_agents", "see_messages")),
    (_("Run and stop"), ("start_run", "steer_run", "publish_version", "stop_workflow", "stop_everything", "lift_stop")),
    (_("Decide"), ("decide_gate", "edit_queues")),
    (
        _("Agents"),
        (
            *("edit_agents", "release_agent", "edit_policies", "review_prompts", "edit_quality"),
            *("manage_messages", "work_as_agent"),
        ),
    ),
    (_("Account for it"), ("see_audit", "verify_audit", "manage_access", "use_api")),
)  # fmt: skip


RISKS: Final[Mapping[str, Promise]] = {
    "low": _("Low risk"), "medium": _("Medium risk"), "high": _("High risk"), "critical": _("Critical risk"),
}  # fmt: skip


def risk_words(risk: str) -> str:
    """A level of risk in words."""
    return str(RISKS[risk])


def groups() -> list[tuple[Promise, list[str]]]:
    """Every right in its group; one that nobody has put into a group comes last."""
    known = {verb for _title, verbs in GROUPS for verb in verbs}
    rest = [verb for verb in VERBS if verb not in known]
    found = [(title, [verb for verb in verbs if verb in VERBS]) for title, verbs in GROUPS]
    return [*found, (_("Other"), rest)] if rest else found
