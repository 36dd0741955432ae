"""What is refused about figures and money. The docstring is the message; facts are attributes."""

from orchestrator.errors import OrchestratorError


class MeasureNotPermitted(OrchestratorError):
    """You may not {verb}; ask an administrator for the right."""

    code = "not_permitted"
    status = 403


class ObjectiveRefused(OrchestratorError):
    """Nothing was promised: {why}."""

    code = "objective_refused"
    status = 422


class TierRefused(OrchestratorError):
    """The tier was not changed: {why}."""

    code = "tier_refused"
    status = 422


class NoSuchMonth(OrchestratorError):
    """There is no statement for {month!r}; name a month like 2026-11 that has begun."""

    code = "no_such_month"
    status = 404
