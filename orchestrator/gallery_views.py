"""The gallery of templates: find one, install it, try it with a sample."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from orchestrator import services
from orchestrator.acts import installing
from orchestrator.errors import OrchestratorError
from orchestrator.gallery import installed, templates
from orchestrator.gallery.templates import Template
from orchestrator.pattern_pictures import picture_of
from orchestrator.patterns import plain
from orchestrator.ports import rights
from orchestrator.views import user_of

DOMAINS: Final = {
    "security": ("shield-check", gettext_lazy("Security")),
    "content": ("file-text", gettext_lazy("Content")),
    "business": ("signal-medium", gettext_lazy("Business")),
    "legal": ("scroll-text", gettext_lazy("Legal")),
    "finance": ("hash", gettext_lazy("Finance")),
    "research": ("search", gettext_lazy("Research")),
    "operations": ("sliders-horizontal", gettext_lazy("Operations")),
}
REASON: Final = gettext_lazy("Installed from the gallery.")


@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """All templates, or those of a domain, of a pattern, and with the words that were typed."""
    user = _checked(request)
    wanted = {name: request.GET.get(name, "")[:100].strip() for name in ("domain", "pattern", "q")}
    found = templates.matching(domain=wanted["domain"], pattern=wanted["pattern"], text=wanted["q"])
    titles = {entry.name: entry.title for entry in plain.entries()}
    used = {name for template in templates.every() for name in template.facts.patterns}
    context: dict[str, Any] = {
        "cards": [(card, _domain(card.template), picture_of(card.template.facts.patterns[0])) for card in
                  installed.cards(user, found)],
        "domains": [(name, DOMAINS[name][1], n) for name, n in templates.counted_domains(templates.every())],
        "patterns": [(name, title) for name, title in titles.items() if name in used],
        "titles": titles,
        "wanted": wanted,
        "total": len(templates.every()),
    }  # fmt: skip
    partial = "#cards" if getattr(request, "wants_partial", False) else ""
    return render(request, f"orchestrator/gallery.html{partial}", context)


@require_GET
def template(request: HttpRequest, name: str) -> HttpResponse:
    """One template: what it does, whom it asks, what it is made of; install it or try it."""
    user, found = _checked(request), _found(name)
    return _page(request, user, found)


@require_POST
def install(request: HttpRequest, name: str) -> HttpResponse:
    """Make it a workflow of this place."""
    user, found = _checked(request), _found(name)
    try:
        done = installing.install(found, by=user, reason=request.POST.get("reason", ""))
    except OrchestratorError as refused:
        if refused.status == 403:
            raise PermissionDenied(str(refused)) from refused
        return _page(request, user, found, problem=str(refused), status=refused.status)
    messages.success(request, done.words)
    return redirect("orchestrator:gallery-template", found.name)


@require_POST
def try_it(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Start a run of the installed workflow with one of the template's samples."""
    user, found = _checked(request), _found(name)
    [card] = installed.cards(user, [found])
    if card.workflow is None or number >= len(found.samples):
        raise Http404
    if not rights().can(user, "start_run", card.workflow):
        raise PermissionDenied(_("Your roles do not let you start runs of this workflow. A workflow manager can."))
    sample = found.samples[number]
    try:
        run = services.start_run(workflow=found.name, input=sample.input, by=user)
    except OrchestratorError as refused:
        return _page(request, user, found, problem=str(refused), status=refused.status)
    messages.success(request, _("Run #%(pk)d has started with the sample “%(title)s”.") % {
        "pk": run.pk, "title": sample.title,
    })  # fmt: skip
    return redirect("orchestrator:run", run.pk)


def _page(request: HttpRequest, user: User, found: Template, *, problem: str = "", status: int = 200) -> HttpResponse:
    [card] = installed.cards(user, [found])
    titles = {entry.name: entry.title for entry in plain.entries()}
    context = {
        "template": found,
        "card": card,
        "domain": _domain(found),
        "patterns": [(name, titles.get(name, name)) for name in found.facts.patterns],
        "picture": picture_of(found.facts.patterns[0]),
        "may_install": rights().can(user, installing.PUBLISH, card.workflow),
        "may_start": card.workflow is not None and rights().can(user, "start_run", card.workflow),
        "reason": request.POST.get("reason", "")[:1000] or str(REASON),
        "problem": problem,
    }
    return render(request, "orchestrator/gallery_template.html", context, status=status)


def _domain(found: Template) -> tuple[str, Any]:
    return DOMAINS[found.facts.domain]


def _found(name: str) -> Template:
    found = templates.find(name)
    if found is None:
        raise Http404
    return found


def _checked(request: HttpRequest) -> User:
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise PermissionDenied(_("Your roles do not show you any workflows. An administrator can change that."))
    return user
