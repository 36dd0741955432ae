"""REST v1: the gallery of templates."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from orchestrator.acts import installing
from orchestrator.api_errors import ERRORS, Forbidden, Name, Text, caller
from orchestrator.errors import OrchestratorError
from orchestrator.gallery import installed, templates
from orchestrator.gallery.installed import Card
from orchestrator.gallery.templates import Template
from orchestrator.ports import rights

gallery = Router(tags=["Gallery"])


class TemplateNotFound(OrchestratorError):
    """There is no template named {name!r}; GET /gallery lists those there are."""

    code = "template_not_found"
    status = 404


class SampleOut(Schema):
    """An input to try it with, and how the run ends."""

    title: str
    input: dict[str, Any]
    ends: str


class TemplateOut(Schema):
    """One template, and what is installed of it."""

    name: str
    title: str
    summary: str
    domain: str
    patterns: list[str]
    data: str
    version: int | None = Field(description="Of the installed workflow of this name that you may see.")
    unchanged: bool = Field(description="Whether that is this template word for word.")

    @classmethod
    def of(cls, card: Card) -> "TemplateOut":
        """As the list shows it."""
        return cls(**_shown(card))


class TemplateDetailOut(TemplateOut):
    """One template with its definition and samples."""

    source: str
    samples: list[SampleOut]


class InstallIn(Schema):
    """Why."""

    reason: Text


class InstalledOut(Schema):
    """What it became."""

    workflow: str
    version: int


@gallery.get("", response={200: list[TemplateOut], **ERRORS}, summary="List templates")
def list_templates(request: HttpRequest, domain: str = "", pattern: str = "", q: str = "") -> list[TemplateOut]:
    """The templates of a domain, of a pattern, and with all words of `q`."""
    found = templates.matching(domain=domain[:100], pattern=pattern[:100], text=q[:100])
    return [TemplateOut.of(card) for card in installed.cards(_reader(request), found)]


@gallery.get("/{name}", response={200: TemplateDetailOut, **ERRORS}, summary="Get a template")
def get_template(request: HttpRequest, name: Name) -> TemplateDetailOut:
    """One template with its definition and samples."""
    [card] = installed.cards(_reader(request), [_found(name)])
    samples = [SampleOut(title=one.title, input=one.input, ends=one.ends) for one in card.template.samples]
    return TemplateDetailOut(**_shown(card), source=card.template.source, samples=samples)


@gallery.post("/{name}/install", response={201: InstalledOut, **ERRORS}, summary="Install a template")
def install_template(request: HttpRequest, name: Name, body: InstallIn) -> Status[InstalledOut]:
    """Publish its definition; the queues that it names and that do not exist are made."""
    user = _reader(request)
    done = installing.install(_found(name), by=user, reason=body.reason)
    return Status(201, InstalledOut(workflow=str(done.data["workflow"]), version=int(str(done.data["number"]))))


def _reader(request: HttpRequest) -> Any:
    user = caller(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise Forbidden(verb="see workflows")
    return user


def _found(name: str) -> Template:
    found = templates.find(name)
    if found is None:
        raise TemplateNotFound(name=name)
    return found


def _shown(card: Card) -> dict[str, Any]:
    facts, workflow = card.template.facts, card.workflow
    version = workflow.current_version.number if workflow and workflow.current_version else None
    said = {name: getattr(facts, name) for name in ("title", "summary", "domain", "data")}
    shown = {"name": card.template.name, **said, "patterns": list(facts.patterns)}
    return {**shown, "version": version, "unchanged": card.is_unchanged}
