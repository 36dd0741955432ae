"""Consumer groups: which workflow starts by itself for each signal of a name, from where on, and again from where."""

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from agents.types import Json
from orchestrator import events, services
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.definitions.fields import NAME, SIGNAL
from orchestrator.engine import waits
from orchestrator.errors import GroupExists, GroupNotFound, GroupRefused
from orchestrator.models import ConsumerGroup, Signal, Workflow
from orchestrator.ports import rights

MOST_RECENT: Final = 500  # signals that one run is given
COUNTED: Final = 10_000  # signals behind that are counted; more are "at least so many"


@dataclass(frozen=True, slots=True)
class Standing:
    """A group and how far it is: the last signal of its name, and how many it has still to hand on."""

    group: ConsumerGroup
    head: int
    behind: int


def standings(groups: QuerySet[ConsumerGroup]) -> list[Standing]:
    """Where each of these groups stands, by name."""
    return [_standing(group) for group in groups.select_related("workflow", "created_by").order_by("name")[:200]]


@transaction.atomic
def create(  # noqa: PLR0913 - what a group is
    *,
    name: str,
    workflow: Workflow,
    signal: str,
    match: str = "",
    recent: int = 0,
    from_start: bool = False,
    by: User | None,
) -> ConsumerGroup:
    """Let a workflow start by itself for each signal of a name: for new ones, or for all that are still kept.

    Its runs get the signal's data, or with `recent` that of the last so many signals of the same key.
    Raises GroupRefused, GroupExists.
    """
    _check(name, signal, match)
    if not 0 <= recent <= MOST_RECENT:
        problem = gettext("must be from 0 to %(most)s") % {"most": MOST_RECENT}
        raise GroupRefused(field="recent", problem=problem)
    services.lock_signal(signal)  # what is being published now is either before the position or after it
    position = 0 if from_start else _head(signal)
    try:
        with transaction.atomic():
            group = ConsumerGroup.objects.create(
                name=name, workflow=workflow, signal=signal, match=match, recent=recent, position=position,
                created_by=by,
            )  # fmt: skip
    except IntegrityError as problem:
        raise GroupExists(name=name) from problem
    _tell("group.created", group, by=by, reason="", position=position, **({"recent": recent} if recent else {}))
    waits.set_timer("group", group.pk)
    return group


@transaction.atomic
def set_enabled(*, name: str, enabled: bool, by: User, reason: str) -> ConsumerGroup:
    """Stop handing signals on, or go on where it was stopped. Raises GroupNotFound, ReasonMissing."""
    group = _locked(name)
    said = services.reason_given(reason, "change a consumer group")
    group.enabled = enabled
    group.save(update_fields=["enabled"])
    _tell("group.enabled" if enabled else "group.disabled", group, by=by, reason=said)
    waits.set_timer("group", group.pk)
    return group


@transaction.atomic
def replay(*, name: str, position: int, by: User, reason: str) -> ConsumerGroup:
    """Hand on again every kept signal after `position`: each starts a run once more.

    Raises GroupNotFound, ReasonMissing, and GroupRefused for a position that lies ahead.
    """
    group = _locked(name)
    said = services.reason_given(reason, "replay signals")
    if not 0 <= position <= group.position:
        raise GroupRefused(
            field="position",
            problem=gettext("must be from 0 to %(position)s, where it stands") % {"position": group.position},
        )
    before, group.position, group.replays = group.position, position, group.replays + 1
    group.save(update_fields=["position", "replays"])
    _tell("group.replayed", group, by=by, reason=said, position=position, before=before)
    waits.set_timer("group", group.pk)
    return group


@transaction.atomic
def remove(*, name: str, by: User, reason: str) -> None:
    """End a group for good; runs that it started go on. Raises GroupNotFound, ReasonMissing."""
    group = _locked(name)
    said = services.reason_given(reason, "remove a consumer group")
    _tell("group.removed", group, by=by, reason=said, position=group.position)
    group.delete()


def get(name: str) -> ConsumerGroup:
    """The group by its name. Raises GroupNotFound."""
    group = ConsumerGroup.objects.select_related("workflow", "created_by").filter(name=name).first()
    if group is None:
        raise GroupNotFound(name=name)
    return group


def may_manage(user: User, workflow: Workflow) -> bool:
    """Whether somebody may say when a workflow starts by itself: they may start and steer its runs."""
    return rights().can(user, "start_run", workflow) and rights().can(user, "steer_run", workflow)


def _locked(name: str) -> ConsumerGroup:
    group = ConsumerGroup.objects.select_for_update(of=("self",)).select_related("workflow").filter(name=name).first()
    if group is None:
        raise GroupNotFound(name=name)
    return group


def _check(name: str, signal: str, match: str) -> None:
    if not NAME.fullmatch(name):
        raise GroupRefused(
            field="name", problem=gettext("must be lower-case letters a-z, digits and -, a letter first")
        )
    if not SIGNAL.fullmatch(signal):
        problem = gettext("must be lower-case letters a-z, digits, . _ and -, a letter first")
        raise GroupRefused(field="signal", problem=problem)
    if not match:
        return
    try:
        source = expressions.check(match)
    except ExpressionError as problem:
        raise GroupRefused(
            field="match", problem=gettext("cannot be used: %(problem)s") % {"problem": problem}
        ) from problem
    if strangers := {reference.root for reference in source.references} - {"event"}:
        raise GroupRefused(
            field="match",
            problem=gettext("reads %(value)s; it may use event only") % {"value": ", ".join(sorted(strangers))},
        )


def _standing(group: ConsumerGroup) -> Standing:
    behind = Signal.objects.filter(name=group.signal, pk__gt=group.position)[:COUNTED].count()
    return Standing(group, _head(group.signal), behind)


def _head(signal: str) -> int:
    return Signal.objects.filter(name=signal).order_by("-pk").values_list("pk", flat=True).first() or 0


def _tell(kind: str, group: ConsumerGroup, *, by: User | None, reason: str, **facts: int) -> None:
    data: dict[str, Json] = {"group": group.name, "workflow": group.workflow.name, "signal": group.signal, **facts}
    events.append(kind, actor=services.actor_of(by), data={**data, "reason": reason} if reason else data)
