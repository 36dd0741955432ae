"""The pages of prompts: list, one version with its review, comparison, and the form of a draft."""

import difflib
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.models import Prompt, PromptVersion
from agents.prompts import evidence, services, uses, variables
from agents.prompts.errors import PromptError, PromptInvalid
from agents.prompts.services import Text
from agents.rights import rights

type View = Callable[..., HttpResponse]


def seen_by_agents_readers(view: View) -> View:
    """Prompts are shown to whoever may see agents."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        if not rights().can(request.user, "see_agents"):
            raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))
        return view(request, *args, **named)

    return checked


@require_GET
@seen_by_agents_readers
def prompts(request: HttpRequest) -> HttpResponse:
    """Every prompt with the state of its newest version."""
    newest = Prefetch("versions", PromptVersion.objects.order_by("-number"), to_attr="newest")
    rows = [(prompt, prompt.newest, len(uses.used_by(prompt))) for prompt in Prompt.objects.prefetch_related(newest)]
    return render(request, "agents/prompts/list.html", {"rows": rows, "may_write": _may_write(request)})


@require_GET
@seen_by_agents_readers
def prompt(request: HttpRequest, name: str) -> HttpResponse:
    """One version (the newest, or `?version=`), compared with `?against=` or the one before."""
    return _show(request, _version(name, request.GET.get("version", "")))


@require_POST
@seen_by_agents_readers
def act(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Submit, publish or send back what the form has shown."""
    version = _version(name, str(number))
    note, seen, by = request.POST.get("note", ""), request.POST.get("digest", ""), _person(request)
    try:
        match request.POST.get("act"):
            case "submit":
                services.submit(version.pk, by=by)
            case "publish":
                services.publish(version.pk, seen=seen, note=note, by=by)
            case "send_back":
                services.send_back(version.pk, seen=seen, note=note, by=by)
            case _:
                raise Http404
    except PromptError as refusal:
        return _show(request, version, problem=refusal, note=note)
    return redirect(f"/agents/prompts/{name}/?version={number}")


@require_POST
@seen_by_agents_readers
def rendered(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """The version with samples, or with the values of the form: the test button."""
    version = _version(name, str(number))
    context: dict[str, Any] = {}
    try:
        declared = variables.declared(version.variables)
        values = {one.name: one.sample for one in declared} | _values(request.POST.get("values", ""))
        context["text"] = variables.render(version.template, declared, values)
    except PromptError as refusal:
        context["problem"] = str(refusal)
    if getattr(request, "wants_partial", False):
        return render(request, "agents/prompts/rendered.html", context)
    return _show(request, version, tried=context)


@require_http_methods(["GET", "POST"])
@seen_by_agents_readers
def write(request: HttpRequest, name: str = "") -> HttpResponse:
    """A new prompt, the next version of one, or its open draft."""
    if not _may_write(request):
        raise PermissionDenied(_("Your roles do not let you write prompts. An administrator can change that."))
    version = _version(name, "") if name else None
    context = _form_of(request, version)
    if request.method == "POST":
        try:
            saved = _save(request, version)
            return redirect(f"/agents/prompts/{saved.prompt.name}/?version={saved.number}")
        except PromptError as refusal:
            context["problem"] = str(refusal)
    status = 422 if "problem" in context else 200
    return render(request, "agents/prompts/form.html", context, status=status)


def _save(request: HttpRequest, version: PromptVersion | None) -> PromptVersion:
    form, by = request.POST, _person(request)
    try:
        given = orjson.loads(form.get("variables") or "[]")
    except orjson.JSONDecodeError as error:
        raise PromptInvalid(
            problem=gettext("they are not JSON (%(error)s)") % {"error": error}, field="variables"
        ) from None
    told = {name: form.get(name, "") for name in ("template", "change", "git_ref", "docs_link")}
    text = Text(**told | {"template": told["template"].replace("\r\n", "\n")}, variables=given)
    if version is None:
        return services.create(name=form.get("name", ""), title=form.get("title", ""), text=text, by=by)
    if version.status == PromptVersion.Status.DRAFT:
        return services.edit(version.pk, text, seen=form.get("digest", ""), by=by)
    return services.draft(version.prompt, text, by=by)


def _form_of(request: HttpRequest, version: PromptVersion | None) -> dict[str, Any]:
    names = ("template", "change", "git_ref", "docs_link")
    start = {name: getattr(version, name, "") for name in names}
    if version is not None and version.status != PromptVersion.Status.DRAFT:
        start |= {"change": "", "docs_link": ""}
    declared = version.variables if version else [{"name": "text", "type": "string", "required": True, "sample": "…"}]
    start |= {"variables": orjson.dumps(declared, option=orjson.OPT_INDENT_2).decode()}
    start |= {"name": "", "title": "", "digest": version.digest if version else ""}
    return {"version": version, "form": start | request.POST.dict()}


def _show(request: HttpRequest, version: PromptVersion, **more: Any) -> HttpResponse:
    others = list(version.prompt.versions.select_related("author"))
    against = _against(request, version, others)
    user = _person(request)
    context = {
        "version": version,
        "versions": others,
        "against": against,
        "changes": _changes(against, version) if against else [],
        "evidence": version.evidence.all()[:20],
        "supporting": evidence.supporting(version),
        "used_by": uses.used_by(version.prompt),
        "may_write": _may_write(request),
        "may_review": services.may_review(version, user),
        "is_editor": user.pk in version.editors,
        **more,
    }
    status = getattr(more.get("problem"), "status", 200)
    return render(request, "agents/prompts/prompt.html", context, status=status)


def _against(request: HttpRequest, version: PromptVersion, others: list[PromptVersion]) -> PromptVersion | None:
    wanted = request.GET.get("against", "")
    earlier = [other for other in others if other.number < version.number]
    return next((other for other in others if str(other.number) == wanted), earlier[0] if earlier else None)


def _changes(old: PromptVersion, new: PromptVersion) -> list[tuple[str, str]]:
    """Lines with what became of them: "context", "removed", "added" or "place"."""
    names = {" ": "context", "-": "removed", "+": "added", "@": "place"}
    before, after = (_lines(version) for version in (old, new))
    found = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return [(names.get(line[:1], "context"), line[1:] if line[:1] != "@" else line) for line in found]


def _lines(version: PromptVersion) -> list[str]:
    declared = orjson.dumps(version.variables, option=orjson.OPT_INDENT_2).decode()
    return [*version.template.splitlines(), "", *declared.splitlines()]


def _values(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        raise PromptInvalid(problem=gettext("the values are not JSON"), field="values") from None
    if not isinstance(found, dict):
        raise PromptInvalid(problem=gettext("the values must be one JSON object"), field="values")
    return found


def _version(name: str, number: str) -> PromptVersion:
    found = PromptVersion.objects.filter(prompt__name=name).select_related("prompt", "author", "reviewer")
    if number:
        found = found.filter(number=int(number)) if number.isdecimal() and len(number) < 9 else found.none()
    version = found.order_by("-number").first()
    if version is None:
        raise Http404(_("There is no such prompt."))
    return version


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _may_write(request: HttpRequest) -> bool:
    return rights().can(request.user, "edit_agents")
