"""The editor of definitions: a text, what publishing would say of it, and the publication itself.

Whatever is refused, the text stays: on the page, and as a draft on the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from agents.types import Json
from orchestrator import act_views, acts, definition_words, drafts, publishing, queries, workflow_queries
from orchestrator.acts import Target
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem
from orchestrator.errors import OrchestratorError
from orchestrator.models import Workflow, WorkflowVersion
from orchestrator.patterns import plain
from orchestrator.ports import rights
from orchestrator.views import leave, user_of

FILE: Final = "workflow.yaml"
REASON: Final = 1000  # characters
STARTER: Final = """metadata:
  name: my-workflow
  title: My workflow
  description: What it does, in a sentence or two.
steps:
  # It publishes and runs as it stands, without agents or queues. Replace this step by what is to be done.
  - key: wait
    type: timer
    title: Wait a moment
    duration: 10s
error_handling: {on_error: escalate}
"""


@dataclass(frozen=True, slots=True)
class Text:
    """What the editor holds, and how strictly it is to be taken."""

    source: str
    strict: bool = False
    make_queues: bool = False

    @property
    def answers(self) -> dict[str, Json]:
        """As the act `publish` asks for it."""
        return {"source": self.source, "strict": self.strict, "make_queues": self.make_queues}


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The editor of a workflow that does not exist yet; `?pattern=saga&template=2` begins with that template."""
    user = user_of(request)
    if not rights().can(user, "publish_version"):
        raise PermissionDenied(_("Your roles do not let you publish new workflows. A workflow manager can."))
    return _edit(request, user, None, _template(request.GET) or STARTER)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """The editor of one workflow's next version, which begins as the current one."""
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not rights().can(user, "publish_version", workflow):
        raise PermissionDenied(_("Your roles do not let you publish versions of it. A workflow manager can."))
    current = workflow_queries.version_of(workflow, None)
    return _edit(request, user, workflow, current.source if current else STARTER)


def _edit(request: HttpRequest, user: User, workflow: Workflow | None, begin: str) -> HttpResponse:
    if request.method == "GET":
        kept = None if "pattern" in request.GET else drafts.of(user, workflow)
        return _page(request, user, workflow, Text(_lines(kept.source if kept else begin)))
    text = _text(user, request.POST)
    if request.POST.get("do") == "discard":
        drafts.discard(user, workflow)
        messages.success(request, _("The draft is discarded."))
        return leave(request, request.path)
    drafts.keep(user, workflow, source=text.source, base=_number(workflow))
    if request.POST.get("do") == "publish":
        return _publish(request, user, workflow, text)
    return _page(request, user, workflow, text)


def _publish(request: HttpRequest, user: User, workflow: Workflow | None, text: Text) -> HttpResponse:
    target, act = _target(workflow), acts.find(_target(workflow).scope, "publish")
    reason, digest = request.POST.get("reason", "").strip()[:REASON], request.POST.get("digest", "")
    try:
        done = acts.perform(act, target, by=user, reason=reason, answers=text.answers, digest=digest)
    except OrchestratorError as refused:
        said = "" if refused.code == "definition_invalid" else str(refused)
        return _page(request, user, workflow, text, problem=said, status=refused.status)
    drafts.discard(user, workflow)
    messages.success(request, done.words, extra_tags=act_views.undo_address(done, reason, user))
    return leave(request, str(done.data["href"]))


def _page(
    request: HttpRequest, user: User, workflow: Workflow | None, text: Text, *, problem: str = "", status: int = 200
) -> HttpResponse:
    draft = drafts.of(user, workflow)
    current = workflow_queries.version_of(workflow, None) if workflow else None
    context: dict[str, Any] = {
        "workflow": workflow,
        "current": current,
        "text": text,
        "draft": draft,
        "reason": request.POST.get("reason", "").strip()[:REASON],
        "problem": problem,
        "may_make_queues": rights().can(user, "edit_queues"),
        "is_overtaken": bool(draft and current and draft.base and draft.base < current.number),
        **_verdict(user, workflow, current, text),
    }
    is_partial = getattr(request, "wants_partial", False)
    template = "orchestrator/editor.html" + ("#verdict" if is_partial else "")
    return render(request, template, context, status=200 if is_partial else status)


def _verdict(user: User, workflow: Workflow | None, current: WorkflowVersion | None, text: Text) -> dict[str, Any]:
    """What publishing would say: every problem, or what would happen; and the difference to the current version."""
    found: dict[str, Any] = {
        "lines": workflow_queries.difference(_lines(current.source), text.source) if current else []
    }
    try:
        examined = publishing.examine(
            source=text.source, file=FILE, by=user, make_queues=text.make_queues, strict=text.strict
        )
    except DefinitionError as refused:
        return {**found, "problems": _in_order(refused.problems)}
    target = _target(workflow)
    found["warnings"] = _in_order(examined.warnings)
    try:
        found["preview"] = acts.preview(acts.find(target.scope, "publish"), target, text.answers)
    except OrchestratorError as refused:
        found["refusal"] = str(refused)
    return found


def _in_order(problems: tuple[DefinitionProblem, ...]) -> list[DefinitionProblem]:
    return definition_words.told(sorted(problems, key=lambda problem: problem.line))


def _text(user: User, posted: Mapping[str, str]) -> Text:
    make = posted.get("make_queues") == "on" and rights().can(user, "edit_queues")
    return Text(_lines(posted.get("source", "")[: acts.publishing.LARGEST]), posted.get("strict") == "on", make)


def _lines(source: str) -> str:
    """With the line ends of files: forms send others, and the same text must stay the same text."""
    return source.replace("\r\n", "\n")


def _target(workflow: Workflow | None) -> Target:
    return Target("workflow", workflow) if workflow else Target("everything")


def _number(workflow: Workflow | None) -> int:
    current = workflow.current_version if workflow else None
    return current.number if current else 0


def _template(asked: Mapping[str, str]) -> str:
    """A template of the pattern that is asked for; empty where there is none."""
    entry = next((entry for entry in plain.entries() if entry.name == asked.get("pattern")), None)
    templates, wanted = entry.templates if entry else (), asked.get("template", "1")
    at = int(wanted) - 1 if wanted.isdecimal() and len(wanted) < 4 else 0
    return templates[at] if 0 <= at < len(templates) else ""
