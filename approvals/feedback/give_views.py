"""Giving feedback: the form for colleagues, links for people without an account, and what those open."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.errors import FeedbackNotFound
from approvals.feedback import giving, links
from approvals.feedback.models import Feedback
from approvals.feedback.views import carried_out, seen_by_watchers
from approvals.feedback.words import CAUSES
from approvals.models import Queue
from approvals.views import user_of
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Task

RATINGS = tuple(range(1, 6))
STEPS = 500  # of a run, to choose from
_BODY = 100_000  # bytes of a form from outside; a comment of 5,000 characters fits several times


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def give(request: HttpRequest) -> HttpResponse:
    """The form of a colleague, about a run, a step or an agent (`?run=`, `?task=`, `?agent=`)."""
    user = user_of(request)
    try:
        about = giving.about(
            user, run=_number(request.GET.get("run")), task=_number(request.GET.get("task")),
            agent=request.GET.get("agent", "")[:100],
        )  # fmt: skip
    except FeedbackNotFound:
        raise Http404(_("There is no such run, step or agent, or you may not see it.")) from None
    said, problem = _said(request), ""
    if request.method == "POST":
        try:
            _made, secret = giving.give(about, said, by=user)
        except OrchestratorError as refusal:
            problem = str(refusal)
        else:
            messages.success(request, _("Thank you. This page will say what came of it."))
            return redirect("feedback:receipt", secret)
    context = {
        "about": about, "said": said, "problem": problem, "ratings": RATINGS,
        "causes": [(key, word, key in said.causes) for key, word in CAUSES.items()],
    }  # fmt: skip
    return render(request, "approvals/feedback/give.html", context, status=422 if problem else 200)


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def run_links(request: HttpRequest) -> HttpResponse:
    """A run's links for people without an account; a new one's address is shown this once."""
    user = user_of(request)
    run = Run.objects.select_related("workflow").filter(pk=_number(request.GET.get("run")) or 0).first()
    try:
        about = giving.about(user, run=run.pk if run else 0)
    except FeedbackNotFound:
        raise Http404(_("There is no such run, or you may not see it.")) from None
    assert about.run is not None
    context: dict[str, Any] = {"run": about.run, "problem": "", "typed": request.POST}
    status = 200
    if request.method == "POST":
        try:
            _link, secret = links.make(
                run_id=about.run.pk, by=user, about=request.POST.get("about", ""),
                queue=request.POST.get("queue", "")[:50], days=_number(request.POST.get("days")) or 0,
                task_id=_number(request.POST.get("task")),
            )  # fmt: skip
            context["address"] = request.build_absolute_uri(reverse("feedback:form", args=[secret]))
        except OrchestratorError as refusal:
            context["problem"], status = str(refusal), refusal.status
    context |= {"links": links.of_run(about.run), "queues": Queue.objects.all(), "days": links.DAYS}
    context["may_make"] = links.may_make(user, about.run)
    context["steps"] = list(Task.objects.of_run(about.run.pk).order_by("id").values_list("pk", "key")[:STEPS])
    context["step"] = _number(request.POST.get("task")) or _number(request.GET.get("task"))
    keys = dict(context["steps"])
    context["links"] = [(link, keys.get(link.task_id, "")) for link in context["links"]]
    return render(request, "approvals/feedback/links.html", context, status=status)


@require_POST
@seen_by_watchers
def revoke_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a link."""
    return carried_out(
        request, lambda: links.revoke(pk, by=user_of(request)), said=_("The link opens nothing any more."),
        back=reverse("feedback:feedback"),
    )  # fmt: skip


@login_not_required
@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
def form(request: HttpRequest, secret: str) -> HttpResponse:
    """What a link opens, for anybody: a form that says that an AI was at work, and nothing about the run."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > _BODY:
        return _public(request, "approvals/feedback/gone.html", {"too_large": True}, status=413)
    try:
        link = links.live(secret)
    except FeedbackNotFound:
        return _public(request, "approvals/feedback/gone.html", {}, status=404)
    said, problem, status = _said(request), "", 200
    if request.method == "POST":
        try:
            _made, receipt = giving.receive(secret, said, sender=request.META.get("REMOTE_ADDR", ""))
        except OrchestratorError as refusal:
            problem, status = str(refusal), refusal.status
        else:
            return redirect("feedback:receipt", receipt)
    context = {"link": link, "said": said, "problem": problem, "ratings": RATINGS}
    return _public(request, "approvals/feedback/form.html", context, status=status)


@login_not_required
@never_cache
@require_GET
def receipt(request: HttpRequest, secret: str) -> HttpResponse:
    """What came of one piece of feedback, for whoever holds its address."""
    try:
        found = giving.receipt(secret)
    except FeedbackNotFound:
        return _public(request, "approvals/feedback/gone.html", {}, status=404)
    reply = _reply(found)
    return _public(request, "approvals/feedback/receipt.html", {"found": found, "reply": reply})


def _reply(found: Feedback) -> dict[str, Any]:
    """What came of the question to a person, without saying who answered."""
    gate = found.gate
    if gate is None:
        return {}
    decision = gate.decisions.last()
    if decision is None:
        return {"by": gate.deadline_at} if gate.status == "open" else {"over": True}
    answered = decision.after if isinstance(decision.after, dict) else {}
    return {"text": answered.get("reply", ""), "at": decision.decided_at, "declined": decision.note}


def _public(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = render(request, template, context, status=status)
    # The address is the key: nobody else is told. Told no origin at all, its own form would be refused.
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _said(request: HttpRequest) -> giving.Said:
    posted = request.POST
    return giving.Said(
        rating=_number(posted.get("rating")),
        comment=posted.get("comment", ""),
        causes=tuple(posted.getlist("causes")[: giving.MOST_CAUSES]),
        wants_person=posted.get("person") == "1",
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
