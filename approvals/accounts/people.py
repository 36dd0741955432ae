"""Accounts: made for somebody, closed and opened again, several of one person, their skills, a lost second factor."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import access, permissions, services
from approvals.accounts import invitations, risk
from approvals.accounts.risk import NO_REASON, Why
from approvals.errors import ChangeRefused, NameTaken, UnknownName
from approvals.models import ApiToken, Delegation, Gate, GateStatus, Profile
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

MOST_SKILLS = 30


@transaction.atomic
def invite(*, username: str, name: str, email: str, role: str, by: User | None, why: Why = NO_REASON) -> User:
    """Make an account that nobody can sign in to yet: a link, made apart, lets its owner set a password."""
    access.authorise(by, None, why)
    if User.objects.filter(username__iexact=username).exists():
        raise NameTaken(name=username)
    if email and User.objects.filter(email__iexact=email).exists():
        raise ChangeRefused(why=_("an account has the address %(email)s already") % {"email": email})
    first, _space, last = name.strip().partition(" ")
    user = User(username=username, first_name=first[:150], last_name=last[:150], email=email)
    user.set_unusable_password()
    user.save()
    Profile.objects.create(user=user)
    facts: dict[str, Json] = {"user": username, "role": role, **why.facts()}
    access.record(EventKind.ACCOUNT_INVITED, by, [user.pk], facts)
    if role:
        access.set_role(user_id=user.pk, role=role, by=by, why=why)
    return user


@transaction.atomic
def close(*, user: User, hand_to: User | None, by: User | None, why: Why = NO_REASON) -> dict[str, Json]:
    """Shut somebody out: sessions, sockets and tokens end, what they held goes to somebody else or is put before all.

    What was handed to them and goes to nobody stays as it is and is shown as stranded (`approvals.stranded`).
    """
    access.set_active(user_id=user.pk, active=False, by=by, why=why)
    for session in UserSession.objects.filter(user=user):
        session.end()
    tokens = ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=Now())
    invitations.end(user)
    Delegation.objects.filter(delegator=user, ended_at=None, ends_at__gt=Now()).update(ended_at=Now())
    Delegation.objects.filter(delegate=user, ended_at=None, ends_at__gt=Now()).update(ended_at=Now())
    released = Gate.objects.filter(claimed_by=user, status=GateStatus.OPEN).update(claimed_by=None, claimed_until=None)
    handed, left = _hand_over(user, hand_to, by)
    facts: dict[str, Json] = {
        "user": user.username,
        "tokens": tokens,
        "released": released,
        "handed": handed,
        "left": left,
    }
    if hand_to is not None:
        facts["to"] = hand_to.username
    events.append(EventKind.ACCOUNT_CLOSED, actor=actor_of(by, access.OPERATOR), data={**facts, **why.facts()})
    return facts


@transaction.atomic
def same_as(*, user: User, main: User | None, by: User | None, why: Why = NO_REASON) -> None:
    """Say that this account and another are one person's, or no longer: people count once, with all their accounts."""
    access.authorise(by, user, why)
    if main is not None:
        access.authorise(by, main, why)
    risk.guard(by, why, of_sameness(user))
    profile, _made = Profile.objects.select_for_update().get_or_create(user=user)
    if main is not None and (main.pk == user.pk or Profile.objects.filter(user=main, same_as__isnull=False).exists()):
        raise ChangeRefused(why=_("name the person's main account, which is not this one and belongs to no other"))
    if Profile.objects.filter(same_as=user).exists():
        raise ChangeRefused(why=_("other accounts name this one as their main account; change those first"))
    if profile.same_as_id == (main.pk if main else None):
        raise ChangeRefused(why=_("that is how it is already"))
    profile.same_as = main
    profile.save(update_fields=["same_as"])
    facts: dict[str, Json] = {"user": user.username, "main": main.username if main else "", **why.facts()}
    access.record(EventKind.ACCOUNT_LINKED, by, [user.pk, *([main.pk] if main else [])], facts)


def of_sameness(user: User) -> str:
    """Why saying who is one person with whom is risky: it decides how many people a decision takes."""
    del user  # for every account alike
    return _("it changes who counts as one person where several must agree")


@transaction.atomic
def set_skills(*, user: User, skills: list[str], by: User | None, why: Why = NO_REASON) -> None:
    """Replace what somebody is known to be good at; gates that ask for a skill are assigned by it."""
    access.authorise(by, None, why)
    wanted = sorted({skill.strip().lower()[:50] for skill in skills if skill.strip()})[:MOST_SKILLS]
    profile, _made = Profile.objects.select_for_update().get_or_create(user=user)
    if profile.skills == wanted:
        raise ChangeRefused(why=_("those are their skills already"))
    was, profile.skills = profile.skills, wanted
    profile.save(update_fields=["skills"])
    facts: dict[str, Json] = {"user": user.username, "skills": list(wanted), "was": list(was), **why.facts()}
    events.append(EventKind.ACCOUNT_CHANGED, actor=actor_of(by, access.OPERATOR), data=facts)


@transaction.atomic
def reset_mfa(*, user: User, by: User | None, why: Why = NO_REASON) -> int:
    """Take away the second factors of somebody who has lost theirs, and end their sessions; return how many."""
    access.authorise(by, user, why)
    risk.guard(by, why, risk.of_person(user))
    count: int
    count, _rows = Authenticator.objects.filter(user=user).delete()
    if not count:
        raise ChangeRefused(why=_("they have no second factor"))
    for session in UserSession.objects.filter(user=user):
        session.end()
    facts: dict[str, Json] = {"user": user.username, "what": "second factors taken away", "count": count, **why.facts()}
    access.record(EventKind.ACCOUNT_SECURED, by, [user.pk], facts)
    return count


def named(username: str) -> User:
    """The account of this name. Raises UnknownName."""
    found = User.objects.filter(username=username).first()
    if found is None:
        raise UnknownName(what="user", name=username, known="the users of the access page")
    return found


def _hand_over(user: User, hand_to: User | None, by: User | None) -> tuple[int, int]:
    """Put what was handed to one person before another, who must have the right; how many went and how many did not."""
    held = Gate.objects.select_related("run").filter(assigned_to=user, status=GateStatus.OPEN).order_by("pk")
    handed = left = 0
    for gate in held:
        if hand_to is None or not permissions.can(hand_to, "decide_gate", gate):
            left += 1
            continue
        locked = services.lock_gate(gate.pk)
        locked.assigned_to, locked.assigned_by = hand_to, by
        locked.save(update_fields=["assigned_to", "assigned_by"])
        facts: dict[str, Json] = {"gate": gate.pk, "to": hand_to.username, "instead_of": user.username}
        actor = actor_of(by, access.OPERATOR)
        events.append(EventKind.GATE_ASSIGNED, actor=actor, run_id=gate.run_id, task_id=gate.task_id, data=facts)
        handed += 1
    return handed, left
