"""The stop control: say what a stop would do, set it, show what it did, lift it."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from orchestrator import ports, services, stops
from orchestrator.errors import OrchestratorError
from orchestrator.models import Stop

NOTHING_RAN_AFTER = timedelta(seconds=3)  # every shift answers a stop well within this


@require_http_methods(["GET", "POST"])
def stop(request: HttpRequest) -> HttpResponse:
    """The form with its preview; on POST, the stop itself."""
    user = _user(request)
    targets = stops.targets(user)
    if not targets:
        raise PermissionDenied(_("Your roles do not let you stop anything. A workflow manager can."))
    asked = request.POST if request.method == "POST" else request.GET
    target = stops.chosen(targets, asked.get("what", "")) or targets[0]
    reason = request.POST.get("reason", "")
    context: dict[str, object] = {"targets": targets, "target": target, "reason": reason}
    if request.method == "POST":
        if stops.chosen(targets, asked.get("what", "")) is None:
            raise PermissionDenied(_("Your roles do not let you stop this. A workflow manager can."))
        try:
            made = services.stop(scope=target.scope, ref=target.ref, by=user, reason=reason)
        except OrchestratorError as problem:
            return _form(request, {**context, "problem": str(problem)}, status=problem.status)
        return after(request, made)
    return _form(request, context)


@require_GET
def stop_effect(request: HttpRequest, pk: int) -> HttpResponse:
    """What a stop did, as measured by the shifts that obeyed it."""
    if not stops.targets(_user(request)):
        raise PermissionDenied
    return _effect(request, get_object_or_404(Stop, pk=pk))


@require_http_methods(["GET", "POST"])
def lift_stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a reason, then let go on what a stop held."""
    user = _user(request)
    if not ports.rights().can(user, "lift_stop"):
        raise PermissionDenied(_("Your roles do not let you lift a stop. A workflow manager can."))
    made = get_object_or_404(Stop, pk=pk)
    context: dict[str, object] = {"stop": made, "reason": request.POST.get("reason", "")}
    if request.method == "GET":
        return render(request, _template(request, "lift"), context)
    try:
        services.lift_stop(stop_id=pk, by=user, reason=request.POST.get("reason", ""))
    except OrchestratorError as problem:
        return render(request, _template(request, "lift"), {**context, "problem": str(problem)}, status=problem.status)
    messages.success(request, _("The stop is lifted; work goes on."))
    return _leave(request, reverse("monitoring:floor"))


def _form(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    target = context["target"]
    assert isinstance(target, stops.Target)
    return render(request, _template(request, "stop"), {**context, "reach": stops.reach(target)}, status=status)


def after(request: HttpRequest, made: Stop) -> HttpResponse:
    """What a stop that has just been set does."""
    if getattr(request, "wants_partial", False):
        return _effect(request, made)
    return redirect("orchestrator:stop-effect", made.pk)


def _effect(request: HttpRequest, made: Stop) -> HttpResponse:
    is_settled = bool(made.effect) or timezone.now() - made.stopped_at > NOTHING_RAN_AFTER
    return render(request, _template(request, "stop_effect"), {"stop": made, "is_settled": is_settled})


def _leave(request: HttpRequest, href: str) -> HttpResponse:
    """Go to a page, also out of a dialog."""
    if not getattr(request, "wants_partial", False):
        return redirect(href)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = href
    return response


def _template(request: HttpRequest, name: str) -> str:
    return f"orchestrator/{name}.html" + ("#dialog" if getattr(request, "wants_partial", False) else "")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    return request.user
