"""Everything about alerts that is refused. The docstring is the message; facts are attributes."""

from orchestrator.errors import OrchestratorError


class AlertNotFound(OrchestratorError):
    """There is no alert {alert}, or you may not see it; the list of alerts has those there are."""

    code = "alert_not_found"
    status = 404


class RuleNotFound(OrchestratorError):
    """There is no rule {name!r}; the list of rules has those there are."""

    code = "rule_not_found"
    status = 404


class RuleRefused(OrchestratorError):
    """The rule was not saved: {problem}."""

    code = "rule_refused"
    status = 422


class AlertOver(OrchestratorError):
    """Alert {alert} is over already; nothing was changed."""

    code = "alert_over"


class AcknowledgedAlready(OrchestratorError):
    """{who} has acknowledged alert {alert} already; nothing was changed."""

    code = "acknowledged_already"


class SilenceRefused(OrchestratorError):
    """Nothing was silenced: {problem}."""

    code = "silence_refused"
    status = 422


class SilenceNotFound(OrchestratorError):
    """There is no silence {silence} in force; the list of silences has those there are."""

    code = "silence_not_found"
    status = 404


class AssigneeRefused(OrchestratorError):
    """The alert was not handed to {name!r}: {problem}."""

    code = "assignee_refused"
    status = 422


class RotationRefused(OrchestratorError):
    """The rotation stays as it was: {problem}."""

    code = "rotation_refused"
    status = 422


class StepUnknown(OrchestratorError):
    """Alert {alert} has no step {key!r} in its runbook; look at the runbook again."""

    code = "step_unknown"
    status = 404


class StepNotPossible(OrchestratorError):
    """The step was not done: {problem}."""

    code = "step_not_possible"


class HandlingNotPermitted(OrchestratorError):
    """You may not {verb}; ask an administrator for the right."""

    code = "not_permitted"
    status = 403
