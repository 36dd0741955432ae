"""What people name as the root cause of an output that they change or refuse. One list for decisions and overrides."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CAUSES: Final[Mapping[str, Promise]] = {
    "prompt_gap": _("Prompt gap"),
    "tool_mismatch": _("Tool mismatch"),
    "policy_conflict": _("Policy conflict"),
    "missing_context": _("Missing context"),
    "wrong_facts": _("Wrong facts"),
    "unclear_task": _("Unclear task"),
    "model_limit": _("Beyond the model"),
    "changed_world": _("The world has changed"),
    "other": _("Something else"),
}
