"""The patterns: a gallery that helps to choose one, and a page of help with templates for each. Read only."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from orchestrator.acts.choosing import YES_NO, advice_for
from orchestrator.models import Workflow
from orchestrator.pattern_pictures import picture_of
from orchestrator.patterns import choosing, plain, tags
from orchestrator.patterns.plain import Entry
from orchestrator.ports import rights
from orchestrator.views import user_of

OFFERED: Final = 50  # workflows with which a choice can be kept


@require_GET
def patterns(request: HttpRequest) -> HttpResponse:
    """All patterns with their trade-offs; with the four questions answered, the one that fits and why."""
    user = _checked(request)
    found = list(plain.entries())
    answers = {name: request.GET.get(name, "") for name in choosing.QUESTIONS}
    tag = request.GET.get("tag", "")
    shown = [entry for entry in found if not tag or tag in entry.tags]
    context: dict[str, Any] = {
        "entries": found,
        "cards": [(entry, picture_of(entry.name)) for entry in shown],
        "tags": tags.counted(entry.tags for entry in found),
        "tag": tag,
        "questions": [(name, text, answers[name]) for name, text in choosing.QUESTIONS.items()],
        "unanswered": any(answers.values()) and not all(answer in YES_NO for answer in answers.values()),
    }
    if (advice := advice_for(answers)) is not None:
        chosen = next(entry for entry in found if entry.name == advice.pattern)
        context |= {"advice": advice, "chosen": chosen, "picture": picture_of(chosen.name)}
        context["keep"] = _keepers(user, {"pattern": chosen.name, **answers})
    return render(request, "orchestrator/patterns.html", context)


@require_GET
def pattern(request: HttpRequest, name: str) -> HttpResponse:
    """One pattern: when to use it, what it costs, who watches over it, and workflows to start from."""
    user = _checked(request)
    found = next((entry for entry in plain.entries() if entry.name == name), None)
    if found is None:
        raise Http404
    context = {
        "entry": found,
        "picture": picture_of(name),
        "followers": _followers(user, found),
        "keep": _keepers(user, {"pattern": name}),
        "may_publish": rights().can(user, "publish_version"),
    }
    return render(request, "orchestrator/pattern.html", context)


def _followers(user: User, entry: Entry) -> list[Workflow]:
    """The workflows that the user may see whose newest choice is this pattern."""
    chosen = rights().visible_workflows(user).filter(pattern_choices__pattern=entry.name).distinct()[:OFFERED]
    held = [(workflow, workflow.pattern_choices.first()) for workflow in chosen]
    return [workflow for workflow, choice in held if choice is not None and choice.pattern == entry.name]


def _keepers(user: User, answers: Mapping[str, str]) -> list[tuple[Workflow, str]]:
    """The workflows with which the user may keep this choice, each with the query that fills in the act's form."""
    query = urlencode({"answers": orjson.dumps(dict(answers)).decode()})
    workflows = rights().visible_workflows(user, "publish_version").order_by("title")[:OFFERED]
    return [(workflow, query) for workflow in workflows]


def _checked(request: HttpRequest) -> User:
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise PermissionDenied(_("Your roles do not show you any workflows. An administrator can change that."))
    return user
