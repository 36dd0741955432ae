"""The nine roles and what each may do everywhere. Object permissions on a workflow or a queue add to them."""

from collections.abc import Iterable, Mapping
from typing import Final

from agents.marking import marked as _

# Verb: what it allows, as the access page words it.
VERBS: Final[Mapping[str, str]] = {
    "see_floor": _("See the watch floor"),
    "see_runs": _("See runs"),
    "start_run": _("Start runs"),
    "steer_run": _("Pause, resume, cancel and retry runs"),
    "publish_version": _("Publish workflow versions"),
    "stop_workflow": _("Stop a workflow"),
    "stop_everything": _("Stop everything"),
    "lift_stop": _("Lift a stop"),
    "release_agent": _("Release agents that guardrails froze"),
    "see_gate": _("See gates"),
    "decide_gate": _("Decide gates"),
    "edit_queues": _("Edit queues and escalation"),
    "see_oversight": _("See in aggregate how people decide"),
    "see_agents": _("See agents"),
    "edit_agents": _("Edit and freeze agents"),
    "edit_policies": _("Propose and approve tool policies, revoke entitlements"),
    "see_messages": _("See messages between agents"),
    "manage_messages": _("Send, replay and route messages, put dead letters back"),
    "edit_quality": _("Edit datasets, calibration and evaluations"),
    "review_prompts": _("Review and publish prompts"),
    "handle_alerts": _("Acknowledge, assign and silence alerts, carry out runbooks"),
    "edit_alerts": _("Change alert rules and the on-call rotation"),
    "see_metrics": _("Read the figures for Prometheus, see what goes to other systems"),
    "see_audit": _("See the audit trail"),
    "verify_audit": _("Verify the audit trail"),
    "manage_access": _("Change roles and grants"),
    "work_as_agent": _("Work as an external agent"),
    "use_api": _("Use the API"),
}
_WATCH = frozenset({"see_floor", "see_agents", "use_api"})
_WATCH_RUNS = _WATCH | {"see_runs"}

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "Workflow Orchestration Manager": _WATCH_RUNS
    | {"start_run", "steer_run", "publish_version", "stop_workflow", "stop_everything", "lift_stop"}
    | {"see_gate", "see_audit", "see_messages", "manage_messages", "see_oversight", "handle_alerts", "edit_alerts"}
    | {"see_metrics"},
    "Agent Development Specialist": _WATCH_RUNS
    | {"start_run", "edit_agents", "edit_policies", "edit_quality", "review_prompts", "see_messages", "work_as_agent"}
    | {"handle_alerts"},
    "System Integration Engineer": _WATCH_RUNS
    | {"start_run", "steer_run", "stop_workflow", "see_audit", "edit_policies", "see_messages", "manage_messages"}
    | {"handle_alerts", "edit_alerts", "see_metrics"},
    "Quality Assurance Lead": _WATCH_RUNS
    | {"edit_quality", "review_prompts", "see_gate", "see_audit", "verify_audit", "see_messages", "see_oversight"}
    | {"release_agent", "handle_alerts"},
    "Human Oversight Coordinator": _WATCH_RUNS
    | {"see_gate", "decide_gate", "edit_queues", "stop_workflow", "stop_everything", "lift_stop", "see_audit"}
    | {"see_oversight", "handle_alerts", "edit_alerts"},
    "Performance Analytics Specialist": _WATCH_RUNS | {"see_oversight", "edit_alerts", "see_metrics"},
    "Reviewer": _WATCH,  # decides in the queues that are granted, and there only
    "Auditor": _WATCH_RUNS | {"see_gate", "see_audit", "verify_audit", "see_messages", "see_oversight"},
    "Administrator": _WATCH_RUNS
    | {"see_gate", "edit_queues", "see_audit", "manage_access", "stop_everything", "lift_stop", "see_oversight"}
    | {"handle_alerts", "see_metrics"},
}

# Which of our object permissions (guardian) grants which verb on that one object.
WORKFLOW_GRANTS: Final[Mapping[str, frozenset[str]]] = {
    "see_runs": frozenset({"see_runs"}),
    "start_run": frozenset({"start_run", "see_runs"}),
    "steer_run": frozenset({"steer_run", "see_runs"}),
    "publish_version": frozenset({"publish_version", "see_runs"}),
    "stop_workflow": frozenset({"stop_workflow", "see_runs"}),
}
QUEUE_GRANTS: Final[Mapping[str, frozenset[str]]] = {
    "see_gates": frozenset({"see_gate"}),
    "decide_gates": frozenset({"decide_gate", "see_gate"}),
}
AGENT_GRANTS: Final[Mapping[str, frozenset[str]]] = {"work_as_agent": frozenset({"work_as_agent"})}
WORKFLOW_VERBS: Final = frozenset().union(*WORKFLOW_GRANTS.values())
QUEUE_VERBS: Final = frozenset().union(*QUEUE_GRANTS.values())
AGENT_VERBS: Final = frozenset().union(*AGENT_GRANTS.values())

# What a bearer token's scope opens, of what its owner may do. Deciding also needs the token's own `may_decide`.
SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "read": frozenset(
        {"see_floor", "see_runs", "see_gate", "see_agents", "see_audit", "verify_audit", "see_messages", "use_api"}
        | {"see_oversight", "see_metrics"}
    ),
    "metrics": frozenset({"see_metrics", "use_api"}),  # Prometheus', and nothing else
    "run": frozenset({"start_run", "use_api"}),
    "steer": frozenset({"steer_run", "manage_messages", "handle_alerts", "use_api"}),
    "publish": frozenset(
        {"publish_version", "edit_agents", "edit_policies", "edit_quality", "edit_queues", "review_prompts", "use_api"}
        | {"edit_alerts"}
    ),
    "stop": frozenset({"stop_workflow", "stop_everything", "lift_stop", "release_agent", "use_api"}),
    "work": frozenset({"work_as_agent", "use_api"}),
    "decide": frozenset({"decide_gate", "see_gate", "use_api"}),
}


def verbs_of(roles: frozenset[str] | set[str] | Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Everything these roles allow together; a mapping brings the rights of roles that were made here, by name."""
    made: Mapping[str, Iterable[str]] = roles if isinstance(roles, Mapping) else {}
    return frozenset[str]().union(*(ROLES.get(role) or frozenset(made.get(role, ())) & VERBS.keys() for role in roles))


def verbs_of_token(scopes: list[str], *, may_decide: bool) -> frozenset[str]:
    """The most that a token allows, whoever owns it."""
    opened = frozenset[str]().union(*(SCOPES.get(scope, frozenset()) for scope in scopes))
    return opened if may_decide else opened - {"decide_gate"}
