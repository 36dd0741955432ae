"""Links by which somebody sets the password of an account that was made for them.

A link is an address, not a credential: only its SHA-256 is kept, it works once and for three days, opening it changes
nothing, and whoever uses it must know the account's name and signs in afterwards like everybody else.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import access
from approvals.accounts import risk
from approvals.errors import ChangeRefused, LinkInvalid
from approvals.models import Invitation
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

LIVES: Final = timedelta(days=3)
_LENGTH: Final = 43  # characters of 256 random bits


@transaction.atomic
def make(*, user: User, by: User | None) -> str:
    """The secret part of a new link, which is not kept; an earlier link of the account ends.

    An account with grave rights that somebody has used gets none from a page: whoever makes the link could use it
    and be two people. Its owner resets the password by mail, or the operator makes the link at the command line.
    """
    access.authorise(by, user)
    if not user.is_active:
        raise ChangeRefused(why=_("the account is closed"))
    if by is not None and user.last_login is not None and (why := risk.of_person(user)):
        raise ChangeRefused(why=_("%(why)s; the operator makes such a link at the command line") % {"why": why})
    end(user)
    secret = secrets.token_urlsafe(32)
    Invitation.objects.create(user=user, digest=_digest(secret), made_by=by, expires_at=Now() + LIVES)
    facts: dict[str, Json] = {"user": user.username}
    events.append(EventKind.ACCOUNT_LINK_MADE, actor=actor_of(by, access.OPERATOR), data=facts)
    return secret


def end(user: User) -> int:
    """Take back the account's link, if it has one."""
    return Invitation.objects.filter(user=user, ended_at=None).update(ended_at=Now())


def is_shaped(secret: str) -> bool:
    """Whether the text can be a link's secret at all."""
    return len(secret) == _LENGTH and secret.isascii() and secret.replace("-", "").replace("_", "").isalnum()


@transaction.atomic
def accept(*, secret: str, username: str, password: str) -> User:
    """Set the password, once. Raises LinkInvalid, whatever is wrong with link or name. Signs nobody in."""
    if not is_shaped(secret):
        raise LinkInvalid
    live = Invitation.objects.select_for_update(of=("self",)).select_related("user")
    found = live.filter(digest=_digest(secret), ended_at=None, expires_at__gt=Now(), user__is_active=True).first()
    if found is None or found.user.username.casefold() != username.strip().casefold():
        raise LinkInvalid
    user = found.user
    user.set_password(password)
    user.save(update_fields=["password"])
    found.ended_at = Now()
    found.save(update_fields=["ended_at"])
    events.append(EventKind.ACCOUNT_JOINED, actor=actor_of(user), data={"user": user.username})
    return user


def _digest(secret: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()
