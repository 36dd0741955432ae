"""Why an act is not done: nothing has changed then, and each says what to do."""

from orchestrator.errors import IllegalTransition, OrchestratorError


class ActUnknown(OrchestratorError):
    """There is no act {name!r} for a {scope}; the API documentation lists those there are."""

    code = "act_unknown"
    status = 404


class TargetUnknown(OrchestratorError):
    """There is no {scope} {ref}; check the address."""

    code = "target_unknown"
    status = 404


class ActImpossible(IllegalTransition):
    """{why}"""


class ActNotAllowed(OrchestratorError):
    """Your roles do not let you {verb} here; a workflow manager can, or can give you the right."""

    code = "not_permitted"
    status = 403


class AnswerInvalid(OrchestratorError):
    """{field} is not valid: {problem}."""

    code = "answer_invalid"
    status = 422


class OwnRequest(OrchestratorError):
    """You started this run, so somebody else must {verb}: {why}."""

    code = "separation_of_duties"
    status = 403


class PlanChanged(OrchestratorError):
    """What this would do has changed since you looked; nothing was done. Read the new preview and confirm it again."""

    code = "plan_changed"
