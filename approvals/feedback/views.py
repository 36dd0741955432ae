"""The pages of feedback: what was said, patterns, corrections, improvements, the retrospective and the survey."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.models import Prompt
from agents.prompts.errors import PromptError
from approvals import permissions
from approvals.feedback import examples, giving, proposals, retrospective, survey, watching
from approvals.feedback import patterns as counting
from approvals.feedback.models import Feedback, Improvement, Lesson
from approvals.views import user_of
from orchestrator.errors import OrchestratorError

SHOWN = 50
type View = Callable[..., HttpResponse]


def seen_by_watchers(view: View) -> View:
    """Who sees neither runs nor gates nor agents has nothing to read here."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        if not any(
            permissions.can_somewhere(user_of(request), verb) for verb in ("see_agents", "see_runs", "see_gate")
        ):
            raise PermissionDenied(_("Your roles show you no feedback. An administrator can change that."))
        return view(request, *args, **named)

    return checked


@require_GET
@seen_by_watchers
def index(request: HttpRequest) -> HttpResponse:
    """What was said, the newest first; `?open=1` what waits for an answer."""
    user = user_of(request)
    found = giving.visible(user)
    only_open = request.GET.get("open") == "1"
    if only_open:
        found = found.filter(status=Feedback.Status.OPEN)
    if agent := request.GET.get("agent", "")[:100]:
        found = found.filter(agent=agent)
    given, older = page_of(found, request)
    context = {
        "given": given,
        "older": older,
        "only_open": only_open,
        "waiting": giving.visible(user).filter(status=Feedback.Status.OPEN).count(),
        "may_answer": permissions.can(user, "edit_quality"),
        "months": survey.months(),
        "own": survey.own(user),
        "scores": survey.SCORES,
        "target": survey.TARGET,
    }
    return render(request, "approvals/feedback/index.html", context)


@require_POST
@seen_by_watchers
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what came of one piece of feedback."""
    posted = request.POST
    return carried_out(
        request,
        lambda: giving.answer(
            pk, by=user_of(request), status=posted.get("status", ""), text=posted.get("answer", ""),
            version=posted.get("version", ""),
        ),
        said=_("Answered; the receipt says so now."), back=reverse("feedback:feedback"),
    )  # fmt: skip


@require_GET
@seen_by_watchers
def patterns(request: HttpRequest) -> HttpResponse:
    """How outputs are judged, counted in tables."""
    user = user_of(request)
    wanted = counting.Wanted.of(request.GET)
    found = counting.patterns(user, wanted, aggregates=permissions.can(user, "see_audit"))
    return render(request, "approvals/feedback/patterns.html", {"found": found, "windows": counting.WINDOWS})


@require_GET
@seen_by_watchers
def lessons(request: HttpRequest) -> HttpResponse:
    """The judged outputs that a number stands for; those changed or refused are pairs that may teach."""
    user = user_of(request)
    wanted = counting.Wanted.of(request.GET)
    found = counting.lessons(user, wanted)
    state = request.GET.get("example", "")
    if state in (*Lesson.Example.values, "none") and state:
        found = found.filter(stood=False, example="" if state == "none" else state)
    ids = [int(pk) for pk in request.GET.get("ids", "").split(",")[:100] if pk.isascii() and pk.isdigit()]
    if ids:
        found = examples.visible(user).filter(pk__in=ids)
    shown, older = page_of(found.select_related("workflow", "gate", "decision", "by", "run"), request)
    context = {
        "rows": [(lesson, examples.pair(lesson)) for lesson in shown],
        "older": older,
        "wanted": wanted,
        "state": state,
        "may_choose": permissions.can(user, "edit_quality"),
        "prompts": _prompts_with_examples(user) if permissions.can(user, "edit_agents") else [],
        "own": user.pk,
        "names_people": permissions.can(user, "see_audit"),
    }
    return render(request, "approvals/feedback/lessons.html", context)


@require_POST
@seen_by_watchers
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept a correction as an example, or decline it."""
    accepted = request.POST.get("do") == "accept"
    said = _("It may teach: the next draft of its prompt can take it up.") if accepted else _("It will not teach.")
    return carried_out(
        request, lambda: examples.choose(pk, by=user_of(request), accepted=accepted), said=said,
        back=reverse("feedback:lessons"),
    )  # fmt: skip


@require_POST
@seen_by_watchers
def draft(request: HttpRequest) -> HttpResponse:
    """Begin a prompt's next version with the accepted corrections as examples."""
    name = request.POST.get("prompt", "")[:100]
    try:
        made = examples.draft(name, by=user_of(request))
    except (OrchestratorError, PromptError) as refusal:
        if refusal.status == 403:
            raise PermissionDenied(str(refusal)) from refusal
        messages.error(request, str(refusal))
        return redirect("feedback:lessons")
    messages.success(request, _("The draft is begun. It needs a review and an evaluation before agents use it."))
    return redirect(f"{reverse('agents:prompt', args=[name])}?version={made.number}")


@require_GET
@seen_by_watchers
def export(request: HttpRequest) -> HttpResponse:
    """The corrections that the address asks for, one case a line."""
    user = user_of(request)
    found = counting.lessons(user, counting.Wanted.of(request.GET)).filter(stood=False)
    if request.GET.get("example") == Lesson.Example.ACCEPTED:
        found = found.filter(example=Lesson.Example.ACCEPTED)
    try:
        body = examples.export(user, found.select_related("gate", "decision").order_by("-at", "-id"))
    except OrchestratorError as refusal:
        raise PermissionDenied(str(refusal)) from refusal
    response = HttpResponse(body, content_type="application/jsonl; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="corrections.jsonl"'
    return response


@require_GET
@seen_by_watchers
def improvements(request: HttpRequest) -> HttpResponse:
    """Work that the figures ask for, open first."""
    rows = list(Improvement.objects.select_related("closed_by").order_by("-closed_at", "-id")[:SHOWN])
    context = {
        "open": [row for row in rows if row.closed_at is None],
        "closed": [row for row in rows if row.closed_at is not None],
        "may_close": permissions.can(user_of(request), "edit_quality"),
        "rules": watching,
    }
    return render(request, "approvals/feedback/improvements.html", context)


@require_POST
@seen_by_watchers
def close_improvement(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what was done about it."""
    outcome = request.POST.get("outcome", "")
    return carried_out(
        request, lambda: watching.close(pk, by=user_of(request), outcome=outcome), said=_("Closed."),
        back=reverse("feedback:improvements"),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def retro(request: HttpRequest) -> HttpResponse:
    """The material of a retrospective; POST keeps it with what people concluded."""
    user = user_of(request)
    asked = (request.POST if request.method == "POST" else request.GET).get("days", "")
    days = int(asked) if asked.isdecimal() and len(asked) < 4 else 0
    if request.method == "POST":
        posted = request.POST
        return carried_out(
            request,
            lambda: retrospective.hold(
                by=user, days=days, title=posted.get("title", ""), concluded=posted.get("concluded", "")
            ),
            said=_("Kept, with the figures of now."), back=reverse("feedback:retrospective"),
        )  # fmt: skip
    found = retrospective.retrospective(user, days)
    context = {
        "found": found, "windows": retrospective.WINDOWS, "live": proposals.LIVE, "held": retrospective.held(user),
        "may_hold": retrospective.may_hold(user),
    }  # fmt: skip
    return render(request, "approvals/feedback/retrospective.html", context)


@require_POST
@seen_by_watchers
def answer_survey(request: HttpRequest) -> HttpResponse:
    """This month's answer."""
    score = request.POST.get("score", "")
    number = int(score) if score.isascii() and score.isdigit() and len(score) < 3 else 0
    return carried_out(
        request, lambda: survey.answer(by=user_of(request), score=number, comment=request.POST.get("comment", "")),
        said=_("Thank you. You can change your answer until the month is over."), back=reverse("feedback:feedback"),
    )  # fmt: skip


def carried_out(request: HttpRequest, act: Callable[[], object], *, said: str, back: str) -> HttpResponse:
    """Do it and go back to where it was asked for, with one sentence on what came of it."""
    try:
        act()
    except OrchestratorError as refusal:
        if refusal.status == 403:
            raise PermissionDenied(str(refusal)) from refusal
        if refusal.status == 404:
            raise Http404(str(refusal)) from refusal
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    wanted = request.POST.get("back", "")
    return redirect(wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else back)


def page_of(rows: Any, request: HttpRequest) -> tuple[list[Any], str]:
    """At most SHOWN rows, the newest first, those before `?before=`; and the query of the page after, if any."""
    before = request.GET.get("before", "")
    found = rows.filter(pk__lt=int(before)) if before.isascii() and before.isdigit() and len(before) < 19 else rows
    shown = list(found.order_by("-id")[: SHOWN + 1])
    if len(shown) <= SHOWN:
        return shown, ""
    asked = request.GET.copy()
    asked["before"] = str(shown[SHOWN - 1].pk)
    return shown[:SHOWN], f"?{asked.urlencode()}"


def _prompts_with_examples(user: User) -> list[str]:
    accepted = examples.corrections(user).filter(example=Lesson.Example.ACCEPTED, used_in="").exclude(prompt="")
    names = {prompt.partition("@")[0] for prompt in accepted.order_by().values_list("prompt", flat=True).distinct()}
    return list(Prompt.objects.filter(name__in=names).order_by("name").values_list("name", flat=True))
