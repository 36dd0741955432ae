"""The rules that come with the product (C048-C050 of the specification, and what every fleet needs told).

They are put into the database once, where people change them or switch them off; what is changed stays changed.
"""

from dataclasses import dataclass
from typing import Final

from agents.marking import marked as _
from monitoring.models import AlertRule, Severity


@dataclass(frozen=True, slots=True)
class Shipped:
    """One rule as it comes."""

    name: str
    title: str
    scope: str
    condition: str
    severity: Severity
    window: int = 60
    runbook: str = "look-into-it"


GRAVEST: Final = "gravest-waits"  # B126: only who answers for queues may change it (`rules`)
_WARNING, _CRITICAL = Severity.WARNING, Severity.CRITICAL
_SURGE, _TOOL, _AGENT, _RUN = "token-surge", "tool-failure", "agent-failure", "run-budget"

RULES: Final = (
    Shipped("long-run", _("Run takes longer than an hour"), "run", "workflow_duration > 3600000", _WARNING),
    Shipped("failing-tasks", _("More than 10 % of a run's tasks failed"), "run", "task_failure_rate > 0.1", _CRITICAL),
    Shipped("failed-run", _("Run failed"), "run", "workflow_status == 'FAILED'", _CRITICAL),
    Shipped("stranded-run", _("Run stranded"), "workflow", "stranded_runs > 0", _CRITICAL, 10),
    Shipped("budget-80", _("80 % of a budget is used"), "budget", "budget_used >= 0.8", _WARNING, 1, _SURGE),
    Shipped(
        "budget-10-left", _("Under 10 % of a budget left"), "budget", "budget_remaining < 0.1", _WARNING, 1, _SURGE
    ),
    Shipped("budget-used-up", _("A budget is used up"), "budget", "budget_used >= 1.0", _CRITICAL, 1, _SURGE),
    Shipped(
        "run-budget-80", _("80 % of a run's budget is used"), "run", "budget_used >= 0.8", _WARNING, runbook=_RUN
    ),
    Shipped(
        "run-budget-10-left", _("Under 10 % of a run's budget left"), "run", "budget_remaining < 0.1", _WARNING,
        runbook=_RUN,
    ),
    Shipped(
        "run-budget-used-up", _("A run's budget is used up"), "run", "budget_used >= 1.0", _CRITICAL, runbook=_RUN
    ),
    Shipped(
        "missed-targets", _("Agent misses what is asked of it"), "agent", "targets_missed > 0", _WARNING, 5,
        "quality-drop",
    ),
    Shipped(
        "promise-burns-fast", _("A promise is being broken fast"), "promise",
        "asked_6h >= 20 && burn_1h > 14.4 && burn_6h > 14.4 || asked_3d >= 20 && burn_6h > 6.0 && burn_3d > 6.0",
        _CRITICAL, 1, "promise-at-risk",
    ),
    Shipped(
        "promise-burns", _("A promise will not last"), "promise",
        "asked_3d >= 20 && burn_3d > 1.0 && error_budget_used < 1.0", _WARNING, 1, "promise-at-risk",
    ),
    Shipped(
        "promise-broken", _("A promise is broken"), "promise", "asked >= 20 && error_budget_used >= 1.0", _WARNING, 1,
        "promise-at-risk",
    ),
    Shipped("tool-errors", _("Tool fails"), "tool", "tool_calls >= 10 && tool_error_rate > 0.2", _CRITICAL, 10, _TOOL),
    Shipped(
        "overrides", _("People override much"), "workflow", "decisions >= 10 && override_rate > 0.3", _WARNING, 1440
    ),
    Shipped(
        "policy-violations", _("Agent tries what it may not do"), "agent", "policy_violations >= 3", _CRITICAL, 10,
        "guardrail-breach",
    ),
    Shipped("overdue-gates", _("Decisions are past their deadline"), "queue", "gates_overdue > 0", _WARNING, 1),
    Shipped(
        GRAVEST, _("A matter of critical risk waits for several people"), "queue", "gates_gravest > 0", _CRITICAL, 1
    ),
    Shipped("silent-agent", _("Agent is silent"), "agent", "silent", _CRITICAL, 5),
    Shipped("out-of-service", _("Agent is out of service"), "agent", "out_of_service", _WARNING, 5, _AGENT),
    Shipped("queue-depth", _("Work piles up"), "lane", "queue_depth > 5000", _WARNING, 1),
    Shipped("sequencer-lag", _("Events are sealed late"), "system", "sequencer_lag_s > 10.0", _CRITICAL, 1),
    Shipped("export-fails", _("Others' systems are not told"), "system", "export_failing_s > 300.0", _WARNING, 1),
    Shipped("no-workers", _("Nobody works"), "system", "workers == 0 && ready_tasks > 0", _CRITICAL, 1),
    Shipped("token-surge", _("Agent uses unusually many tokens"), "agent", "tokens_sigma > 4.0", _WARNING, 60, _SURGE),
    Shipped("slow-agent", _("Agent is unusually slow"), "agent", "duration_sigma > 4.0", _WARNING),
    Shipped(
        "failing-agent", _("Agent fails unusually often"), "agent", "failures >= 5 && failures_sigma > 4.0", _WARNING,
        60, _AGENT,
    ),
    Shipped("slow-workflow", _("Runs take unusually long"), "workflow", "duration_sigma > 4.0", _WARNING),
)  # fmt: skip


def seed() -> int:
    """Put in those that were never there; how many that were."""
    known = set(AlertRule.objects.values_list("name", flat=True))
    fresh = [rule_of(one) for one in RULES if one.name not in known]
    AlertRule.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def rule_of(one: Shipped) -> AlertRule:
    """Its row, unsaved."""
    return AlertRule(
        name=one.name, title=one.title, scope=one.scope, condition=one.condition, severity=one.severity,
        window=one.window, runbook=one.runbook, shipped=True,
    )  # fmt: skip


def find(name: str) -> Shipped | None:
    """The shipped rule of that name."""
    return next((one for one in RULES if one.name == name), None)
