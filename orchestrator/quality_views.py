"""The forms of the quality and evaluation pages: POST only, then back to the page with a message."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from orchestrator import quality_acts
from orchestrator.api_errors import Forbidden
from orchestrator.quality_acts import QualityRefused
from orchestrator.views import user_of


@require_POST
def calibrate(request: HttpRequest, name: str) -> HttpResponse:
    """Fit one agent's calibration now."""
    try:
        made = quality_acts.calibrate(agent=name, by=user_of(request))
    except Forbidden as problem:
        raise PermissionDenied(str(problem)) from None
    except QualityRefused as problem:
        messages.error(request, str(problem))
    else:
        messages.info(request, _("Calibration: %(why)s.") % {"why": made.why})
    return redirect("agents:agent-quality", name=name)


@require_POST
def weigh(request: HttpRequest) -> HttpResponse:
    """Change the weights of authority."""
    levels = ("regulatory", "sop", "general")
    try:
        quality_acts.require(user_of(request))
        weights = {level: float(request.POST.get(level, "")) for level in levels}
        quality_acts.weigh(weights=weights, reason=request.POST.get("reason", ""), by=user_of(request))
    except Forbidden as problem:
        raise PermissionDenied(str(problem)) from None
    except (QualityRefused, ValueError) as problem:
        text = str(problem) if isinstance(problem, QualityRefused) else _("A weight is a number from 0 to 1.")
        messages.error(request, text)
    return redirect("agents:quality")


@require_POST
def close_item(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a failed evaluation with a reason."""
    try:
        quality_acts.close_item(item=pk, reason=request.POST.get("reason", ""), by=user_of(request))
    except Forbidden as problem:
        raise PermissionDenied(str(problem)) from None
    except QualityRefused as problem:
        messages.error(request, str(problem))
    return redirect("agents:evaluations")
