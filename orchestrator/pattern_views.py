"""The patterns: a gallery that helps to choose one, and a page of help with a template for each. Read only."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from orchestrator.patterns import choosing, plain
from orchestrator.ports import rights
from orchestrator.views import user_of


@require_GET
def patterns(request: HttpRequest) -> HttpResponse:
    """All patterns with their trade-offs; with the four questions answered, the one that fits and why."""
    _check(request)
    found = list(plain.entries())
    answers = {name: request.GET.get(name, "") for name in choosing.QUESTIONS}
    context: dict[str, Any] = {
        "entries": found,
        "questions": [(name, text, answers[name]) for name, text in choosing.QUESTIONS.items()],
        "unanswered": any(answers.values()) and not all(answer in {"yes", "no"} for answer in answers.values()),
    }
    if all(answer in {"yes", "no"} for answer in answers.values()):
        context["advice"] = choosing.recommend(**{name: answer == "yes" for name, answer in answers.items()})
        context["chosen"] = next(entry for entry in found if entry.name == context["advice"].pattern)
    return render(request, "orchestrator/patterns.html", context)


@require_GET
def pattern(request: HttpRequest, name: str) -> HttpResponse:
    """One pattern: when to use it, what it costs, who watches over it, and a workflow to start from."""
    _check(request)
    found = next((entry for entry in plain.entries() if entry.name == name), None)
    if found is None:
        raise Http404
    return render(request, "orchestrator/pattern.html", {"entry": found})


def _check(request: HttpRequest) -> None:
    if not rights().can_somewhere(user_of(request), "see_runs"):
        raise PermissionDenied(_("Your roles do not show you any workflows. An administrator can change that."))
