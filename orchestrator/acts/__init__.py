"""Steering: everything a person may do to a step, a run, a workflow, an agent or everything.

See `core` for the mechanism and docs/steering.md for the acts. Importing this package registers them all.
"""

from orchestrator.acts import holding, runs
from orchestrator.acts.core import (
    Act,
    ActImpossible,
    ActNotAllowed,
    ActUnknown,
    AnswerInvalid,
    Done,
    Performing,
    Plan,
    PlanChanged,
    Preview,
    Scope,
    Target,
    TargetUnknown,
    Undo,
    acts_for,
    find,
    is_visible,
    locate,
    of,
    perform,
    possible,
    preview,
    register,
)

__all__ = [
    "Act",
    "ActImpossible",
    "ActNotAllowed",
    "ActUnknown",
    "AnswerInvalid",
    "Done",
    "Performing",
    "Plan",
    "PlanChanged",
    "Preview",
    "Scope",
    "Target",
    "TargetUnknown",
    "Undo",
    "acts_for",
    "find",
    "holding",
    "is_visible",
    "locate",
    "of",
    "perform",
    "possible",
    "preview",
    "register",
    "runs",
]
