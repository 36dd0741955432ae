"""Feedback from people: of colleagues on what they may see, of anybody through a link; and the answers to it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.models import Agent, ModelCall
from agents.types import Json
from approvals import permissions, policy
from approvals.errors import (
    AppraisalInvalid,
    FeedbackNotFound,
    FeedbackRefused,
    FeedbackTooOften,
    NotPermitted,
    OutcomeMissing,
)
from approvals.feedback import asking, links, secrets, sentiment
from approvals.feedback.models import Feedback, FeedbackLink
from approvals.feedback.words import CAUSES
from approvals.permissions import Person
from orchestrator import events, services
from orchestrator.events import EventKind
from orchestrator.models import Run, Task

LONGEST: Final = 5_000  # characters of a comment or an answer
MOST_CAUSES: Final = 10
LINK_HOUR: Final = 30  # sent through one link in an hour
SENDER_WINDOW: Final = timedelta(minutes=10)
SENDER_MOST: Final = 5  # sent from one address within the window, through whichever links


@dataclass(frozen=True, slots=True)
class Said:
    """What a form holds."""

    rating: int | None = None
    comment: str = ""
    causes: tuple[str, ...] = ()
    wants_person: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What feedback is about, as far as its giver may see it: a run, one of its steps, or an agent."""

    run: Run | None = None
    task: Task | None = None
    agent: Agent | None = None

    @property
    def title(self) -> str:
        """In a few words."""
        if self.task is not None:
            return f"{self.task.key}, run #{self.task.run_id}"
        if self.run is not None:
            return self.run.title or f"run #{self.run.pk}"
        return self.agent.title if self.agent else ""


def about(user: Person, *, run: int | None = None, task: int | None = None, agent: str = "") -> About:
    """What the user wants to speak of; FeedbackNotFound where they may not see it."""
    if task is not None:
        found = Task.objects.select_related("run", "agent").filter(pk=task).first()
        if found is not None and permissions.can(user, "see_runs", found.run):
            return About(found.run, found, found.agent)
    elif run is not None:
        row = Run.objects.filter(pk=run).first()
        if row is not None and permissions.can(user, "see_runs", row):
            return About(run=row)
    elif agent and permissions.can(user, "see_agents"):
        named = Agent.objects.filter(name=agent).first()
        if named is not None:
            return About(agent=named)
    raise FeedbackNotFound(what="such run, step or agent")


@transaction.atomic
def give(of: About, said: Said, *, by: User) -> tuple[Feedback, str]:
    """Keep it, linked to agent and prompt version; the secret of its receipt. Raises FeedbackRefused."""
    said = _checked(said)
    agent, version, prompt = _maker(of)
    secret = secrets.token()
    made = Feedback.objects.create(
        digest=secrets.digest(secret), author=by, run=of.run, task_id=of.task.pk if of.task else None,
        workflow_id=of.run.workflow_id if of.run else None, agent=agent, agent_version=version, prompt=prompt,
        rating=said.rating, comment=said.comment, causes=list(said.causes),
        sentiment=sentiment.of(said.comment, said.rating),
    )  # fmt: skip
    _record(made, services.actor_of(by))
    return made, secret


def receive(secret: str, said: Said, *, sender: str) -> tuple[Feedback, str]:
    """The same from anybody who holds a link's address; `sender` is where it comes from, of which a hash is kept.

    Who asks for a person is put before people in the inbox. Raises FeedbackNotFound, FeedbackTooOften, FeedbackRefused.
    """
    said = _checked(said)
    with transaction.atomic():
        link = links.live(secret, lock=True)
        who = secrets.sender(sender)
        _refuse_flood(link, who)
        task = Task.objects.select_related("agent").filter(pk=link.task_id).first() if link.task_id else None
        agent, version, prompt = _maker(About(link.run, task, task.agent if task else None))
        receipt = secrets.token()
        made = Feedback.objects.create(
            digest=secrets.digest(receipt), link=link, run=link.run, task_id=link.task_id,
            workflow_id=link.run.workflow_id, agent=agent, agent_version=version, prompt=prompt, rating=said.rating,
            comment=said.comment, sentiment=sentiment.of(said.comment, said.rating),
            wants_person=said.wants_person, sender=who,
        )  # fmt: skip
        if said.wants_person:
            made.gate_id = asking.open_request(link, made)
            made.save(update_fields=["gate"])
        _record(made, f"link:{link.pk}")
    return made, receipt


@transaction.atomic
def answer(feedback_id: int, *, by: User, status: str, text: str, version: str = "") -> Feedback:
    """Say what came of it, for whoever holds the receipt. Raises FeedbackNotFound, NotPermitted, OutcomeMissing."""
    found = visible(by).select_for_update(of=("self",)).filter(pk=feedback_id).first()
    if found is None:
        raise FeedbackNotFound(what=f"feedback {feedback_id}")
    if not permissions.can(by, "edit_quality"):
        raise NotPermitted(verb="answer feedback")
    text = policy.clean_text(text)[:LONGEST]
    if status not in (Feedback.Status.DEALT, Feedback.Status.CHANGED, Feedback.Status.DECLINED):
        raise FeedbackRefused(why="an answer says dealt, changed or declined")
    if not text:
        raise OutcomeMissing
    version = " ".join(policy.clean_text(version).split())[:150]
    if status == Feedback.Status.CHANGED and not version:
        raise FeedbackRefused(why="name what has another version because of it, such as prompt labels@4")
    found.status, found.answer, found.version = status, text, version
    found.answered_by, found.answered_at = by, timezone.now()
    found.save(update_fields=["status", "answer", "version", "answered_by", "answered_at"])
    facts: dict[str, Json] = {"feedback": found.pk, "status": status, "version": version}
    events.append(
        EventKind.FEEDBACK_ANSWERED, actor=services.actor_of(by), run_id=found.run_id, task_id=found.task_id, data=facts
    )
    return found


def visible(user: Person) -> QuerySet[Feedback]:
    """What a person may read: on workflows whose runs they see, on agents if they see those, and their own."""
    if not isinstance(user, User):
        return Feedback.objects.none()
    seen = Q(author=user) | Q(workflow__in=permissions.visible_workflows(user))
    if permissions.can(user, "see_agents"):
        seen |= Q(workflow=None)
    return Feedback.objects.filter(seen).select_related("run", "workflow", "author", "answered_by", "gate", "link")


def receipt(secret: str) -> Feedback:
    """What a receipt's address leads to; FeedbackNotFound."""
    rows = Feedback.objects.select_related("link", "run", "gate")
    found = rows.filter(digest=secrets.digest(secret)).first()
    if found is None:
        raise FeedbackNotFound(what="such receipt")
    return found


def _checked(said: Said) -> Said:
    comment = policy.clean_text(said.comment)
    if len(comment) > LONGEST:
        raise FeedbackRefused(why=f"it has {len(comment):,} characters; shorten it to {LONGEST:,}")
    if said.rating is not None and not 1 <= said.rating <= 5:
        raise FeedbackRefused(why="a rating is 1 to 5")
    if strange := [cause for cause in said.causes if cause not in CAUSES]:
        raise AppraisalInvalid(what=f"the root cause {strange[0][:40]!r}", known=", ".join(CAUSES))
    if not (comment or said.rating or said.causes or said.wants_person):
        raise FeedbackRefused(why="there is nothing in it yet; choose a rating or write a comment")
    if said.wants_person and not comment:
        raise FeedbackRefused(why="write what the person should know")
    return Said(said.rating, comment, tuple(dict.fromkeys(said.causes))[:MOST_CAUSES], said.wants_person)


def _refuse_flood(link: FeedbackLink, who: str) -> None:
    """Under the link's lock, so that two at once are counted one after the other."""
    now = timezone.now()
    if Feedback.objects.filter(link=link, at__gt=now - timedelta(hours=1)).count() >= LINK_HOUR:
        raise FeedbackTooOften(minutes=60)
    if Feedback.objects.filter(sender=who, at__gt=now - SENDER_WINDOW).count() >= SENDER_MOST:
        raise FeedbackTooOften(minutes=int(SENDER_WINDOW.total_seconds() // 60))


def _maker(of: About) -> tuple[str, int | None, str]:
    """The agent that it is about, its version, and the prompt that was used: as far as each is known."""
    if of.task is None or of.task.agent is None:
        return (of.agent.name if of.agent else ""), None, ""
    name = of.task.agent.name
    version = of.task.attempts.filter(status="succeeded").values_list("agent_version", flat=True).last()
    calls = ModelCall.objects.filter(correlation_id=of.task.run.correlation_id, agent=name).exclude(prompt="")
    return name, version, calls.order_by("-at").values_list("prompt", flat=True).first() or ""


def _record(made: Feedback, actor: str) -> None:
    facts: dict[str, Json] = {
        "feedback": made.pk, "rating": made.rating, "sentiment": made.sentiment, "wants_person": made.wants_person,
        "agent": made.agent, "causes": [*made.causes],
    }  # fmt: skip
    events.append(EventKind.FEEDBACK_GIVEN, actor=actor, run_id=made.run_id, task_id=made.task_id, data=facts)
