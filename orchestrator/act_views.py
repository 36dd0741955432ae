"""One view for every steering act: say what it would do and ask why; then do it, and offer to undo it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from agents.types import Json
from orchestrator import acts, forms, stop_views
from orchestrator.acts import Act, Target
from orchestrator.errors import OrchestratorError
from orchestrator.models import Stop
from orchestrator.views import leave, user_of

REASON = 1000  # characters
FILL_IN = gettext_lazy("Fill in what is asked above; then this says what will happen.")
UNREADABLE = gettext_lazy("Something that is asked for is missing or cannot be read.")


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, scope: str, address: str, name: str) -> HttpResponse:
    """The dialog of one act on one thing; on POST, the act, or with `?preview=1` what it would do so answered."""
    user = user_of(request)
    try:
        target = acts.locate(scope, address)
        found = acts.find(scope, name)
    except OrchestratorError as unknown:
        raise Http404 from unknown
    if not acts.is_visible(user, target):
        raise Http404
    if not found.permits(user, target):
        raise PermissionDenied(_("Your roles do not let you do this. A workflow manager can."))
    asked = request.POST if request.method == "POST" else request.GET
    dialog = _Dialog(request, found, target, asked)
    if request.method == "GET" or request.GET.get("preview") or dialog.problem:
        return dialog.show(status=422 if dialog.problem and request.method == "POST" else 200)
    try:
        done = acts.perform(
            found, target, by=user, reason=dialog.reason, answers=dialog.document, digest=asked.get("digest", "")
        )
    except OrchestratorError as refused:
        # What is missing is something that was filled in: the form's own address is there.
        return dialog.show(problem=str(refused), status=422 if refused.status == 404 else refused.status)
    if found.name == "stop":
        return stop_views.after(request, Stop.objects.get(pk=done.stop))
    messages.success(request, done.words, extra_tags=undo_address(done, dialog.reason, user))
    return leave(request, str(done.data.get("href") or home_of(target)))


@require_GET
def menu(request: HttpRequest, scope: str, address: str) -> HttpResponse:
    """What the user may do to it now: a menu for pages of other apps, a page of links without JavaScript."""
    user = user_of(request)
    try:
        target = acts.locate(scope, address)
    except OrchestratorError as unknown:
        raise Http404 from unknown
    if not acts.is_visible(user, target):
        raise Http404
    context = {"acts": acts.possible(user, target), "target": target, "home": home_of(target)}
    partial = "#menu" if getattr(request, "wants_partial", False) else ""
    return render(request, f"orchestrator/acts.html{partial}", {**context, "what": acts.holding.name_of(target)})


class _Dialog:
    """The form as it was filled in, and what it would do."""

    def __init__(self, request: HttpRequest, found: Act, target: Target, asked: Mapping[str, str]) -> None:
        self.request, self.act, self.target = request, found, target
        self.reason = asked.get("reason", "").strip()[:REASON]
        self.is_untouched = request.method == "GET" and not found.why_not(target)
        fields = _fields(found, target) or ()
        if request.method == "GET":
            answers = {**found.answers(target), **_linked(asked)}
            self.fields = tuple(_filled(field, answers) for field in fields)
            # Read as it will be sent: a form that nobody changes must agree to what it has shown.
            self.document = forms.read(self.fields, forms.as_sent(self.fields)).document
            self.problem = ""
        else:
            answer = forms.read(fields, asked)
            self.fields, self.document = answer.fields, answer.document
            said = FILL_IN if request.GET.get("preview") and answer.is_unfinished else UNREADABLE
            self.problem = "" if answer.is_readable else str(said)

    def show(self, *, problem: str = "", status: int = 200) -> HttpResponse:
        """The dialog, or within one the part that says what will happen."""
        context: dict[str, Any] = {
            "act": self.act, "target": self.target, "fields": self.fields,
            "home": reverse(self.act.home) if self.act.home else home_of(self.target),
            "reason": self.reason, "problem": problem or self.problem,
            "what": self.act.about or acts.holding.name_of(self.target),
        }  # fmt: skip
        self.target = acts.of(self.target.scope, self.target.ref)
        try:
            if not self.problem:
                context["preview"] = acts.preview(self.act, self.target, self.document)
        except OrchestratorError as refused:
            # A form that nobody has touched has no mistakes yet: it says what it needs, where the plan will stand.
            if self.is_untouched and not problem:
                context["needs"] = FILL_IN if isinstance(refused, acts.AnswerInvalid) else str(refused)
            else:
                context["problem"] = problem or str(refused)
        context["is_possible"] = _fields(self.act, self.target) is not None and not self.act.why_not(self.target)
        if not context["is_possible"] and "needs" in context:
            context["problem"] = context.pop("needs")  # there is nothing to fill in
        if self.request.GET.get("preview"):
            return render(self.request, "orchestrator/act.html#plan", context)
        partial = "#dialog" if getattr(self.request, "wants_partial", False) else ""
        return render(self.request, f"orchestrator/act.html{partial}", context, status=status)


def _fields(act: Act, target: Target) -> tuple[forms.Field, ...] | None:
    """What the act asks for; None where there is nothing to choose from, as its plan then says."""
    if act.why_not(target):
        return ()
    try:
        return tuple(forms.fields_of(act.schema(target)))
    except acts.ActImpossible:
        return None


def _filled(field: forms.Field, answers: Mapping[str, Json]) -> forms.Field:
    if field.name not in answers:
        return field
    value = answers[field.name]
    indented = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return replace(field, value=value if isinstance(value, str) else indented)


def _linked(asked: Mapping[str, str]) -> dict[str, Json]:
    """Answers in a link, as an offer to undo carries them."""
    found, problem = forms.read_json(asked.get("answers", ""))
    return {} if problem else found


def undo_address(done: acts.Done, reason: str, user: User) -> str:
    """Where the dialog that takes an act back is; empty where nothing does, or where it is not theirs to do."""
    if done.undo is None or not acts.find(done.target.scope, done.undo.name).permits(user, done.target):
        return ""
    address = reverse("orchestrator:act", args=[done.target.scope, done.target.address, done.undo.name])
    told = {"answers": orjson.dumps(dict(done.undo.answers)).decode(), "reason": _("Undo: %(why)s") % {"why": reason}}
    return f"{address}?{urlencode(told)}"


def home_of(target: Target) -> str:
    """The page of what an act is done to."""
    match target.scope:
        case "run":
            return reverse("orchestrator:run", args=[target.ref])
        case "task":
            query = urlencode({"task": target.task.key})
            return f"{reverse('orchestrator:run', args=[target.task.run_id])}?{query}"
        case "workflow":
            return reverse("orchestrator:workflow", args=[target.address])
        case "agent":
            return reverse("agents:agent", args=[target.address])
        case "team":
            return reverse("orchestrator:team", args=[target.ref])
    return reverse("monitoring:floor")
