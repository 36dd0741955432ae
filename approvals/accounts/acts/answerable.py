"""Who answers for what: kinds of teams, owners of queues, parts in matters (RACI), rotas of queues."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals.accounts.acts.core import OFFERED, Answers, text
from approvals.accounts.acts.queues import QueueAct, queue_field
from approvals.accounts.queues import named
from approvals.accounts.risk import Why
from approvals.answerable import changing, rotas
from approvals.answerable.models import Part, Rota, TeamKind
from approvals.errors import ChangeRefused
from approvals.models import Queue
from orchestrator.acts.core import Plan, Target, Undo, register
from orchestrator.models import Workflow


class _AnswerableAct(QueueAct):
    icon = "users"
    home = "access:answerable"
    about = gettext_lazy("Responsibilities")


class SetKind(_AnswerableAct):
    """Where a team stands."""

    name = "set-team-kind"
    title = gettext_lazy("Where a team stands")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Kind of a team…")
    hint = gettext_lazy("A hub serves everybody, pods do the work of their domain, partners watch risk and compliance.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which team, and what it is."""
        kinds = {"type": "string", "enum": [str(label) for label in TeamKind.Kind.labels], "title": _("It is a")}
        return {"properties": {"team": team_field(), "kind": kinds}, "required": ["team"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """In one sentence."""
        kind = text(asked, "kind")
        told = {"team": text(asked, "team"), "kind": kind}
        return (_("%(team)s is a %(kind)s.") % told if kind else _("%(team)s is neither hub nor spoke.") % told,)

    def was(self, asked: Answers) -> Answers:
        """What it is now."""
        found = TeamKind.objects.filter(group__name=text(asked, "team")).first()
        return {"team": text(asked, "team"), **({"kind": str(found.get_kind_display())} if found else {})}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        wanted = text(asked, "kind")
        kind = next((key for key, label in TeamKind.Kind.choices if wanted in (key, str(label))), "")
        if wanted and not kind:
            raise ChangeRefused(why=_("a team is a hub, a pod or a partner"))
        changing.set_kind(team=text(asked, "team"), kind=kind, by=by, why=why)
        return {"href": reverse(self.home)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Kept.")


class SetOwner(_AnswerableAct):
    """Which team owns a queue."""

    name = "set-owner"
    title = gettext_lazy("Owner of a queue")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Owner…")
    hint = gettext_lazy("The team that the queue is of: whom others turn to about it. It gives nobody a right there.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which queue, and whose."""
        return {"properties": {"queue": queue_field(), "team": team_field()}, "required": ["queue"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """In one sentence."""
        told = {"queue": named(text(asked, "queue")).title, "team": text(asked, "team") or _("nobody")}
        return (_("%(queue)s belongs to: %(team)s.") % told,)

    def was(self, asked: Answers) -> Answers:
        """Whose it is now."""
        queue = named(text(asked, "queue"))
        return {"queue": queue.name, **({"team": queue.owner.name} if queue.owner else {})}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        queue = named(text(asked, "queue"))
        changing.set_owner(queue=queue, team=text(asked, "team"), by=by, why=why)
        return {"href": reverse("access:queue", args=[queue.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The queue has its owner.")


class _PartAct(_AnswerableAct):
    held: ClassVar[bool]

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which matter, which team, which part."""
        about = {
            "type": "string", "minLength": 1, "maxLength": 120, "enum": matters(), "title": _("Matter"),
            "description": _("prompts, tools, incidents, queue:… or workflow:…"),
        }  # fmt: skip
        part = {"type": "string", "enum": [str(label) for label in Part.Letter.labels], "title": _("Part")}
        fields = {"about": about, "team": team_field(), "part": part}
        return {"properties": fields, "required": ["about", "team", "part"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """In one sentence, with what becomes of whoever was accountable."""
        told = {"team": text(asked, "team"), "part": text(asked, "part"), "about": text(asked, "about")}
        if not self.held:
            return (_("%(team)s is no longer %(part)s for %(about)s.") % told,)
        lines = [_("%(team)s is %(part)s for %(about)s.") % told]
        if _letter(asked) == Part.Letter.ACCOUNTABLE:
            found = Part.objects.filter(**changing.matter_of(text(asked, "about")), letter=Part.Letter.ACCOUNTABLE)
            lines += [
                _("%(team)s is accountable no longer: one team is.") % {"team": part.team.name}
                for part in found.select_related("team")
            ]
        return tuple(lines)

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        changing.set_part(
            about=text(asked, "about"), team=text(asked, "team"), letter=_letter(asked), held=self.held, by=by, why=why
        )
        return {"href": reverse(self.home)}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The other way; whoever was accountable before is so again."""
        work, was = plan.work
        return Undo(self.name, was) if was is not None else Undo(self.back, work.answers)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Kept. It counts for whatever is asked from now on.")


class GivePart(_PartAct):
    """A team gets a part in a matter."""

    name = "give-part"
    back = "take-part"
    held = True
    title = gettext_lazy("Who answers for what")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Give a part…")
    hint = gettext_lazy(
        "Those responsible and the one accountable are asked, consulted ones are told beforehand, informed ones "
        "afterwards. It gives nobody a right: of a team only those are asked who may act."
    )

    def was(self, asked: Answers) -> Answers | None:
        """Who was accountable, if this takes that from somebody."""
        if _letter(asked) != Part.Letter.ACCOUNTABLE:
            return None
        found = Part.objects.filter(**changing.matter_of(text(asked, "about")), letter=Part.Letter.ACCOUNTABLE)
        team = found.values_list("team__name", flat=True).first()
        return {**asked, "team": team} if team else None


class TakePart(_PartAct):
    """A team loses a part in a matter."""

    name = "take-part"
    back = "give-part"
    held = False
    icon = "x"
    title = gettext_lazy("Take a part away")
    action = gettext_lazy("Take away")
    menu = gettext_lazy("Take a part away…")


class SetRota(_AnswerableAct):
    """Who is on call for a queue."""

    name = "set-rota"
    icon = "clock"
    title = gettext_lazy("On call for a queue")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("On call…")
    hint = gettext_lazy(
        "Whoever's turn it is is told first; when nobody takes a card up in time, the next one is, and in the end "
        "everybody. Leave the people empty to tell everybody at once."
    )

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The queue, its people in the order of their turns, and the turns."""
        line = {"type": "string", "maxLength": 2000}
        fields = {
            "queue": queue_field(),
            "people": {**line, "title": _("People"), "description": _("Usernames in order, separated by commas.")},
            "days": {"type": "integer", "minimum": 1, "maximum": rotas.LONGEST_TURN, "default": 7,
                     "title": _("Days of a turn")},
            "hour": {"type": "integer", "minimum": 0, "maximum": 23, "default": 9, "title": _("Hour of the hand-over")},
            "zone": {**line, "maxLength": 50, "default": "UTC", "title": _("Time zone")},
            "starts_on": {**line, "maxLength": 10, "title": _("First day"), "description": _("2026-12-25, say.")},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 1440, "default": 15,
                        "title": _("Minutes until the next is called")},
        }  # fmt: skip
        return {"properties": fields, "required": ["queue"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """In one sentence."""
        terms = _terms(asked)
        told = {"queue": named(text(asked, "queue")).title, "people": ", ".join(terms.people), "minutes": terms.minutes}
        if not terms.people:
            return (_("Everybody who is asked in %(queue)s is told at once.") % told,)
        return (_("On call for %(queue)s, in turns: %(people)s; the next after %(minutes)s minutes.") % told,)

    def was(self, asked: Answers) -> Answers:
        """What holds now."""
        queue = named(text(asked, "queue"))
        return {"queue": queue.name, **rota_answers(queue)}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        queue = named(text(asked, "queue"))
        rotas.set_rota(queue=queue, terms=_terms(asked), by=by, why=why)
        return {"href": reverse("access:queue", args=[queue.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Kept. It counts for whatever comes there from now on.")


def rota_answers(queue: Queue) -> dict[str, Json]:
    """A queue's rota as the form of `set-rota` holds it."""
    rota = Rota.objects.filter(queue=queue).first()
    if rota is None:
        return {"people": ""}
    names = dict(User.objects.filter(pk__in=rota.people).values_list("pk", "username"))
    return {
        "people": ", ".join(names[pk] for pk in rota.people if pk in names), "days": rota.days, "hour": rota.hour,
        "zone": rota.zone, "starts_on": rota.starts_on.isoformat(), "minutes": rota.minutes,
    }  # fmt: skip


def matters() -> list[str]:
    """Everything that teams may have a part in, as forms name it."""
    queues = Queue.objects.order_by("name").values_list("name", flat=True)[:OFFERED]
    workflows = Workflow.objects.order_by("name").values_list("name", flat=True)[:OFFERED]
    plain = ("prompts", "tools", "incidents")
    return [*plain, *(f"queue:{name}" for name in queues), *(f"workflow:{name}" for name in workflows)]


def team_field() -> dict[str, Any]:
    """A field that names a team."""
    names = list(Group.objects.order_by("name").values_list("name", flat=True)[: OFFERED + 1])
    field: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 150, "title": _("Team")}
    return {**field, "enum": names} if 0 < len(names) <= OFFERED else field


def _letter(asked: Answers) -> str:
    wanted = text(asked, "part")
    found = next((key for key, label in Part.Letter.choices if wanted in (key, str(label))), "")
    if not found:
        raise ChangeRefused(why=_("a part is responsible, accountable, consulted or informed"))
    return found


def _terms(asked: Answers) -> rotas.Terms:
    people = tuple(name.strip() for name in text(asked, "people").split(",") if name.strip())
    return rotas.Terms(
        people, _number(asked, "days", 7), _number(asked, "hour", 9), text(asked, "zone") or "UTC",
        _day(text(asked, "starts_on")), _number(asked, "minutes", 15),
    )  # fmt: skip


def _day(written: str) -> date:
    if not written:
        return timezone.localdate()
    try:
        return date.fromisoformat(written)
    except ValueError as wrong:
        raise ChangeRefused(why=_("%(day)s is no day; write it as 2026-12-25") % {"day": written}) from wrong


def _number(asked: Answers, name: str, default: int) -> int:
    found = asked.get(name)
    return found if isinstance(found, int) else default


for _act in (SetKind(), SetOwner(), GivePart(), TakePart(), SetRota()):
    register(_act)
