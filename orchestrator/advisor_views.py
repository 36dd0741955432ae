"""The advisor: fifteen checks on whether a job needs several agents. Read only; the act `keep-advice` keeps it."""

from urllib.parse import urlencode

import orjson
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from orchestrator.acts.advising import YES_NO, judged
from orchestrator.models import Workflow
from orchestrator.patterns import advising
from orchestrator.ports import rights
from orchestrator.views import user_of

OFFERED = 50  # workflows with which a verdict can be kept
TITLES = {
    "single": gettext_lazy("For one agent"),
    "several": gettext_lazy("For several agents"),
    "ready": gettext_lazy("Are you ready for several?"),
}


@require_GET
def advisor(request: HttpRequest) -> HttpResponse:
    """The checklist; with all of it answered, the verdict, its warning signs and the way through the phases."""
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise PermissionDenied(_("Your roles do not show you any workflows. An administrator can change that."))
    answers = {name: request.GET.get(name, "") for name in advising.QUESTIONS}
    groups = [
        (TITLES[group], [(name, words, answers[name]) for name, words in checks.items()])
        for group, checks in advising.GROUPS.items()
    ]
    is_complete = all(answer in YES_NO for answer in answers.values())
    verdict = judged(answers) if is_complete else None
    context = {
        "groups": groups,
        "unanswered": any(answers.values()) and not is_complete,
        "verdict": verdict,
        "counts": [(TITLES[group], count) for group, count in verdict.counts.items()] if verdict else [],
        "phases": list(advising.PHASES.items()),
        "keep": _keepers(user, answers) if verdict else [],
    }
    return render(request, "orchestrator/advisor.html", context)


def _keepers(user: User, answers: dict[str, str]) -> list[tuple[Workflow, str]]:
    """The workflows with which the user may keep this verdict, each with the query that fills in the act's form."""
    query = urlencode({"answers": orjson.dumps(answers).decode()})
    workflows = rights().visible_workflows(user, "publish_version").order_by("title")[:OFFERED]
    return [(workflow, query) for workflow in workflows]
