"""Corrections as pairs: read, judged as examples, exported as evaluation cases, and put into a prompt's next draft."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.evaluation.cases import LONGEST_LINE, Case, write_jsonl
from agents.models import Prompt, PromptVersion
from agents.prompts import services as prompts
from agents.types import Json
from approvals import permissions
from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted
from approvals.feedback.models import Lesson
from approvals.permissions import Person
from orchestrator import events, services
from orchestrator.events import EventKind

EXPORTED: Final = 5_000
IN_PROMPT: Final = 8  # examples that one draft takes up
LONGEST_EXAMPLE: Final = 1_500  # characters of one side of an example; longer ones do not fit a prompt
HEADING: Final = "Corrections that people made to earlier outputs, as data:"
Example = Lesson.Example
_BRACES_IN_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Pair:
    """What an agent was given and put out, and what a person put in its place: None where they only refused it."""

    input: dict[str, Json]
    output: dict[str, Json] | None
    edited: dict[str, Json] | None
    reason: str


def visible(user: Person) -> QuerySet[Lesson]:
    """Lessons of workflows whose runs a person sees, of queues whose gates they see, and their own."""
    if not isinstance(user, User):
        return Lesson.objects.none()
    seen = Q(by=user) | Q(workflow__in=permissions.visible_workflows(user))
    return Lesson.objects.filter(seen | Q(queue__in=permissions.visible_queues(user)))


def corrections(user: Person) -> QuerySet[Lesson]:
    """Those of them that changed or refused an output, the newest first."""
    found = visible(user).filter(stood=False)
    return found.select_related("workflow", "gate", "by", "decision").order_by("-at", "-id")


def pair(lesson: Lesson) -> Pair:
    """The lesson as a pair; of a decision, as its gate has sealed it."""
    if lesson.decision is None or lesson.gate is None:
        return Pair(_object(lesson.input) or {}, _object(lesson.output), _object(lesson.edited), lesson.reason)
    subject = lesson.gate.subject
    given = subject.get("input")
    return Pair(_object(given) or {}, _object(lesson.decision.before), _object(lesson.edited), lesson.reason)


def case(lesson: Lesson) -> Case | None:
    """As a case of a dataset: what is right where the person said it, else what is wrong; None without an input."""
    found = pair(lesson)
    if not found.input or (found.edited is None and found.output is None):
        return None
    expected: dict[str, Json] = found.edited if found.edited is not None else {"not": found.output}
    provenance: dict[str, Json] = {
        "kind": "correction", "lesson": lesson.pk, "run": lesson.run_id, "gate": lesson.gate_id, "step": lesson.step,
        "verdict": lesson.verdict, "at": lesson.at.isoformat(), "reason": lesson.reason[:500], "agent": lesson.agent,
        "agent_version": lesson.agent_version, "prompt": lesson.prompt, "output": found.output,
    }  # fmt: skip
    tags = ("correction", lesson.verdict, *lesson.causes)
    return Case(found.input, expected, tags[:20], provenance)


def export(user: User, lessons: QuerySet[Lesson]) -> bytes:
    """JSONL that `manage.py dataset import` reads. Only who may edit quality takes it away. Raises NotPermitted."""
    if not permissions.can(user, "edit_quality"):
        raise NotPermitted(verb="export corrections")
    return write_jsonl(_fitting(lessons[:EXPORTED]))


def _fitting(lessons: QuerySet[Lesson]) -> Iterator[Case]:
    for lesson in lessons:
        found = case(lesson)
        if found is not None and len(write_jsonl([found])) <= LONGEST_LINE:
            yield found


@transaction.atomic
def choose(lesson_id: int, *, by: User, accepted: bool) -> Lesson:
    """Judge a correction: may it teach, or not. Raises FeedbackNotFound, NotPermitted."""
    if not permissions.can(by, "edit_quality"):
        raise NotPermitted(verb="judge corrections")
    lesson = visible(by).select_for_update(of=("self",)).filter(pk=lesson_id, stood=False).first()
    if lesson is None:
        raise FeedbackNotFound(what=f"correction {lesson_id}")
    lesson.example = Example.ACCEPTED if accepted else Example.DECLINED
    lesson.chosen_by, lesson.chosen_at = by, timezone.now()
    lesson.save(update_fields=["example", "chosen_by", "chosen_at"])
    facts: dict[str, Json] = {"lesson": lesson.pk, "accepted": accepted}
    events.append(EventKind.LESSON_CHOSEN, actor=services.actor_of(by), run_id=lesson.run_id, data=facts)
    return lesson


@transaction.atomic
def draft(prompt_name: str, *, by: User) -> PromptVersion:
    """Start the prompt's next version as a draft with the accepted corrections of it as examples.

    It is a draft like any other: somebody else reviews it, and an evaluation has to speak for it, before agents use it.
    Raises FeedbackNotFound, FeedbackRefused, and what `agents.prompts.services.draft` refuses with.
    """
    if not permissions.can(by, "edit_agents"):
        raise NotPermitted(verb="write prompts")
    prompt = Prompt.objects.filter(name=prompt_name).first()
    if prompt is None:
        raise FeedbackNotFound(what=f"prompt {prompt_name}")
    published = prompt.versions.filter(status=PromptVersion.Status.PUBLISHED).order_by("-number").first()
    base = published or prompt.versions.order_by("-number").first()
    lessons = [lesson for lesson in _accepted(prompt_name, by) if _shown(pair(lesson))][:IN_PROMPT]
    if base is None or not lessons:
        raise FeedbackRefused(why=f"no accepted correction of {prompt_name} that says what is right is left to use")
    text = prompts.Text(
        template=f"{base.template.rstrip()}\n\n{HEADING}\n{block(lessons)}",
        variables=base.variables,
        change=f"{len(lessons)} examples from people's corrections, on version {base.number}",
    )
    made = prompts.draft(prompt, text, by=by)
    ids = [lesson.pk for lesson in lessons]
    Lesson.objects.filter(pk__in=ids).update(used_in=f"{prompt_name}@{made.number}")
    facts: dict[str, Json] = {"prompt": prompt_name, "version": made.number, "lessons": [*ids]}
    events.append(EventKind.LESSON_DRAFTED, actor=services.actor_of(by), data=facts)
    return made


def block(lessons: Sequence[Lesson]) -> str:
    """The examples as lines of JSON that a template takes as they are: no brace inside a text opens an expression."""
    return "\n".join(line for lesson in lessons if (line := _shown(pair(lesson))))


def _accepted(prompt_name: str, by: User) -> QuerySet[Lesson]:
    mine = corrections(by).filter(example=Example.ACCEPTED, used_in="", prompt__startswith=f"{prompt_name}@")
    return mine[: IN_PROMPT * 4]


def _shown(found: Pair) -> str:
    """One example; empty where it teaches nothing to imitate, or would not fit."""
    if found.edited is None or not found.input:
        return ""
    told = {"given": found.input, "right": found.edited, **({"why": found.reason[:300]} if found.reason else {})}
    line = _BRACES_IN_TEXT.sub(_escaped, orjson.dumps(told).decode())
    return line if len(line) <= 2 * LONGEST_EXAMPLE else ""


def _escaped(text: re.Match[str]) -> str:
    """A text in JSON without braces: outside of texts JSON has no two signs that would open a template's expression."""
    return text[0].replace("{", "\\u007b").replace("}", "\\u007d")


def _object(value: Any) -> dict[str, Json] | None:
    return value if isinstance(value, dict) else None
