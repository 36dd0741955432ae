"""The root cause that whoever overrides a step may name, and must where its gate demands one with each change."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from agents.types import Json
from orchestrator import forms
from orchestrator.acts.core import Performing
from orchestrator.causes import CAUSES
from orchestrator.engine.plans import step_in_trouble
from orchestrator.models import Task

FIELD = "cause"


def asked(schema: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """An act's schema with the cause in it."""
    gate = step_in_trouble(task).gate
    demanded = gate is not None and bool(gate.terms.feedback)
    field = forms.choice(_("Root cause"), CAUSES)
    properties = {**schema["properties"], FIELD: field}
    return {"properties": properties, "required": [*schema.get("required", ()), *([FIELD] if demanded else ())]}


def said(act: Performing) -> dict[str, Json]:
    """The cause that was named, for the act's event."""
    return {FIELD: act.answers[FIELD]} if act.answers.get(FIELD) else {}
