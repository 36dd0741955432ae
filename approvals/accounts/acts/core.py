"""What all acts on access have in common: the rehearsal, the second person, the way back."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals import access, db, permissions
from approvals.accounts import changes
from approvals.accounts.rehearsal import rehearse
from approvals.accounts.risk import NO_REASON, Why
from orchestrator.acts.choices import choice
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo

type Answers = Mapping[str, Json]

OFFERED: Final = 500  # names to choose from


@dataclass(frozen=True, slots=True)
class Work:
    """What `apply` and `undo` need of the plan."""

    answers: Answers
    risk: str
    lines: tuple[str, ...]


class AccessAct(Act):
    """One change of access. `change` saves it, events included; the rehearsal is `change`, made and taken back."""

    scopes: ClassVar[tuple[Scope, ...]] = ("everything",)
    icon = "key-round"
    rank = 70
    needs_fresh = True
    about = gettext_lazy("Access")
    home = "access:people"
    verb: ClassVar[str] = "manage_access"
    line: ClassVar[str | Promise] = ""  # what will be, with the answers' names in it
    back: ClassVar[str] = ""  # the act that takes it back with the same answers

    def permits(self, user: Person, target: Target) -> bool:
        """By default `manage_access`, everywhere."""
        return permissions.can(user, self.verb)

    def is_offered(self, target: Target) -> bool:
        """Only by the pages of access, which fill its form in."""
        return False

    def lock(self, target: Target) -> Target:
        """Changes of access are made one after the other."""
        db.lock_access()
        return target

    @abstractmethod
    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json] | None:
        """Save it, with its event; what it returns is for programs. Raises what it refuses with."""

    def risk(self, asked: Answers) -> str:
        """Why it takes a second person; empty if it does not."""
        return ""

    def words(self, asked: Answers) -> tuple[str, ...]:
        """What will be, apart from who gains and loses what."""
        return (str(self.line) % {name: value or "–" for name, value in asked.items()},) if self.line else ()

    def plan(self, target: Target, answers: Answers) -> Plan:
        """Make the change, see who gains and loses, take it back."""
        effects = rehearse(lambda: self.change(answers, None, NO_REASON))
        risk = self.risk(answers)
        lines = (*self.words(answers), *effects.lines())
        warnings = effects.warnings()
        if risk:
            words = _("This takes two people, for %(why)s: nothing changes until somebody else has confirmed it.")
            warnings = (words % {"why": risk}, *warnings)
        return Plan(lines, {"effects": effects.bound(), "risk": risk}, Work(answers, risk, lines), warnings)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Save it, or put it before a second person."""
        work: Work = act.plan.work
        if not work.risk or act.by is None:
            return self.change(act.answers, act.by, Why(act.reason)) or {}
        access.authorise(act.by, None)
        self.check_hands(act.answers, act.by)
        lines = (*work.lines, *act.plan.warnings)
        made = changes.propose(
            act=self.name, answers=act.answers, lines=lines, risk=work.risk, reason=act.reason, by=act.by
        )
        words = _("Asked for. Nothing has changed yet: somebody else who may change access must confirm it.")
        return {"change": made.pk, "words": words, "href": reverse("access:changes")}

    def check_hands(self, asked: Answers, by: User) -> None:
        """Refuse what whoever asks may not even ask for: their own rights."""

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The other way, where there is one and something has changed."""
        return Undo(self.back, plan.work.answers) if self.back and not plan.work.risk else None


def person_field(title: str, *, inactive: bool = False) -> dict[str, Any]:
    """A field that names an account."""
    found = User.objects.filter(is_active=not inactive).order_by("username")[: OFFERED + 1]
    return _named(title, {user.username: named(user) for user in found})


def role_field(title: str, *, own: bool = False) -> dict[str, Any]:
    """A field that names a role; with `own`, one that was made here."""
    shipped = 9 if own else 0
    return _named(title, {name: name for name in access.role_names()[shipped:]})


def named(user: User) -> str:
    """An account in a list to choose from: the person's name, and what tells two of one name apart."""
    full = user.get_full_name()
    return f"{full} ({user.username})" if full else user.username


def _named(title: str, names: Mapping[str, str]) -> dict[str, Any]:
    field: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 150, "title": title}
    return {**field, **choice(title, names)} if 0 < len(names) <= OFFERED else field


def text(answers: Answers, name: str) -> str:
    """One answer as text; empty if it was left out."""
    return str(answers.get(name) or "").strip()
