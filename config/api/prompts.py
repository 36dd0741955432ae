"""REST v1: prompts. A route calls one service, which checks the right, and shapes the answer."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router, Schema
from ninja.responses import Status
from pydantic import Field

from agents.models import Prompt, PromptVersion
from agents.prompts import evidence, services, uses, variables
from agents.prompts.errors import PromptUnknown
from agents.prompts.services import Text as PromptText
from agents.prompts.variables import Variable
from orchestrator.api_errors import ERRORS, Forbidden, Line, Name, Text, caller
from orchestrator.ports import rights

prompt_routes = Router(tags=["Prompts"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class TextIn(Schema):
    """What a draft says."""

    template: str = Field(max_length=20_000, pattern=r"^[^\x00]*$")
    variables: list[Variable] = Field(default=[], max_length=50)
    change: Line = ""
    git_ref: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""
    docs_link: Line = ""

    def text(self) -> PromptText:
        """For the services."""
        return PromptText(**{**self.dict(), "variables": [one.model_dump() for one in self.variables]})


class PromptIn(TextIn):
    """A new prompt."""

    name: Name
    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class EditIn(TextIn):
    """A changed draft; `digest` is that of the draft that was read."""

    digest: Line


class ReviewIn(Schema):
    """A judgement on what has this digest."""

    digest: Line
    note: Text = ""


class ValuesIn(Schema):
    """Values beside, or in place of, the samples."""

    values: dict[str, Any] = {}


class EvidenceIn(Schema):
    """A result of an evaluation."""

    suite: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]
    reference: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
    score: float = Field(ge=0, le=100, allow_inf_nan=False)
    passed: bool


class PromptVersionOut(Schema):
    """One version."""

    prompt: str
    number: int
    status: str
    template: str
    variables: list[dict[str, Any]]
    change: str
    git_ref: str
    docs_link: str
    digest: str
    author: str
    reviewer: str | None
    review_note: str
    changed_at: datetime
    used_by: list[str]

    @classmethod
    def of(cls, version: PromptVersion) -> "PromptVersionOut":
        """From its row."""
        same = ("number", "status", "template", "variables", "change", "git_ref", "docs_link", "digest", "review_note")
        return cls(
            prompt=version.prompt.name,
            author=version.author.username,
            reviewer=version.reviewer.username if version.reviewer else None,
            changed_at=version.changed_at,
            used_by=[used.agent.name for used, _ in uses.used_by(version.prompt)],
            **{name: getattr(version, name) for name in same},
        )


class RenderedOut(Schema):
    """A prompt as a model gets it."""

    text: str


class SummaryOut(Schema):
    """One prompt and the states of its versions, the newest first."""

    name: str
    title: str
    versions: dict[int, str]


@prompt_routes.get("", response={200: list[SummaryOut], **ERRORS}, summary="List prompts")
def list_prompts(request: HttpRequest) -> list[SummaryOut]:
    """Every prompt."""
    _require_see(request)
    return [
        SummaryOut(name=one.name, title=one.title, versions={v.number: v.status for v in one.versions.all()})
        for one in Prompt.objects.prefetch_related("versions")[:1000]
    ]


@prompt_routes.post("", response={201: PromptVersionOut, **ERRORS}, summary="Write a new prompt")
def create_prompt(request: HttpRequest, given: PromptIn) -> Status[PromptVersionOut]:
    """A prompt with its first draft."""
    text = TextIn(**given.dict(exclude={"name", "title"})).text()
    made = services.create(name=given.name, title=given.title, text=text, by=caller(request))
    return Status(201, PromptVersionOut.of(made))


@prompt_routes.post("/{name}", response={201: PromptVersionOut, **ERRORS}, summary="Draft the next version")
def draft_version(request: HttpRequest, name: Name, given: TextIn) -> Status[PromptVersionOut]:
    """The next version, as a draft."""
    _require_see(request)
    prompt = Prompt.objects.filter(name=name).first()
    if prompt is None:
        raise PromptUnknown(ref=name)
    return Status(201, PromptVersionOut.of(services.draft(prompt, given.text(), by=caller(request))))


@prompt_routes.get("/{name}/{number}", response={200: PromptVersionOut, **ERRORS}, summary="Get a version")
def get_version(request: HttpRequest, name: Name, number: Number) -> PromptVersionOut:
    """One version."""
    return PromptVersionOut.of(_version(request, name, number))


@prompt_routes.put("/{name}/{number}", response={200: PromptVersionOut, **ERRORS}, summary="Change a draft")
def edit_version(request: HttpRequest, name: Name, number: Number, given: EditIn) -> PromptVersionOut:
    """Change a draft that was read before."""
    found = _version(request, name, number)
    text = TextIn(**given.dict(exclude={"digest"})).text()
    return PromptVersionOut.of(services.edit(found.pk, text, seen=given.digest, by=caller(request)))


@prompt_routes.post("/{name}/{number}/submit", response={200: PromptVersionOut, **ERRORS}, summary="Ask for a review")
def submit_version(request: HttpRequest, name: Name, number: Number) -> PromptVersionOut:
    """Hand a draft in."""
    return PromptVersionOut.of(services.submit(_version(request, name, number).pk, by=caller(request)))


@prompt_routes.post(
    "/{name}/{number}/publish", response={200: PromptVersionOut, **ERRORS}, summary="Approve and publish"
)
def publish_version(request: HttpRequest, name: Name, number: Number, given: ReviewIn) -> PromptVersionOut:
    """Publish what was read; none of its editors may."""
    found = _version(request, name, number)
    return PromptVersionOut.of(services.publish(found.pk, seen=given.digest, note=given.note, by=caller(request)))


@prompt_routes.post("/{name}/{number}/send-back", response={200: PromptVersionOut, **ERRORS}, summary="Ask for changes")
def send_back_version(request: HttpRequest, name: Name, number: Number, given: ReviewIn) -> PromptVersionOut:
    """Make it a draft again, with a note."""
    found = _version(request, name, number)
    return PromptVersionOut.of(services.send_back(found.pk, seen=given.digest, note=given.note, by=caller(request)))


@prompt_routes.post("/{name}/{number}/render", response={200: RenderedOut, **ERRORS}, summary="Render")
def render_version(request: HttpRequest, name: Name, number: Number, given: ValuesIn) -> RenderedOut:
    """The version with its samples, or with other values."""
    found = _version(request, name, number)
    declared = variables.declared(found.variables)
    values = {one.name: one.sample for one in declared} | given.values
    return RenderedOut(text=variables.render(found.template, declared, values))


@prompt_routes.post(
    "/{name}/{number}/evidence", response={201: PromptVersionOut, **ERRORS}, summary="Record an evaluation"
)
def record_evidence(request: HttpRequest, name: Name, number: Number, given: EvidenceIn) -> Status[PromptVersionOut]:
    """Keep what an evaluation of the present text found; whoever wrote part of it records none."""
    user, found = caller(request), _version(request, name, number)
    if not services.may_review(found, user):
        raise Forbidden(verb="record evidence for this version")
    evidence.record(found, evidence.Result(**given.dict()), by=f"user:{user.username}")
    return Status(201, PromptVersionOut.of(found))


def _version(request: HttpRequest, name: str, number: int) -> PromptVersion:
    _require_see(request)
    found = PromptVersion.objects.filter(prompt__name=name, number=number)
    version = found.select_related("prompt", "author", "reviewer").first()
    if version is None:
        raise PromptUnknown(ref=f"{name}@{number}")
    return version


def _require_see(request: HttpRequest) -> None:
    if not rights().can(caller(request), "see_agents"):
        raise Forbidden(verb="see prompts")
