"""Bearer tokens: made once, shown once, kept as a hash. A token never does more than its owner may."""

import hashlib
import hmac
import secrets
import string
import zlib
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Least, Now

from agents.types import Json
from approvals import permissions
from approvals.errors import NotPermitted, TokenInvalid, TokenNotRenewable, UnknownName
from approvals.models import ApiToken, RenewedSecret
from approvals.roles import SCOPES
from orchestrator import events, services
from orchestrator.events import EventKind

PREFIX: Final = "wk_"
_ALPHABET: Final = string.digits + string.ascii_letters
_BODY, _CHECK = 43, 6  # 62**43 > 2**256; 62**6 > 2**32
MAX_DAYS: Final = 366
SHORT: Final = "work"  # a token with this scope lives for WORK_MINUTES and is renewed by the worker
WORK_MINUTES: Final = 60
MOST_LIVE: Final = 100  # secrets of one token at once: so many workers may share it


@transaction.atomic
def create(
    *, user: User, name: str, scopes: list[str], days: int = 90, minutes: int | None = None, may_decide: bool = False
) -> tuple[ApiToken, str]:
    """Make a token for oneself; the second value is the secret, which is not kept and cannot be shown again.

    With `minutes` a secret lives so long, and whoever holds it fetches the next one until the `days` are over. That of
    a worker lives an hour, unless somebody says otherwise, and its client does so by itself.
    """
    if not permissions.can(user, "use_api"):
        raise NotPermitted(verb="use the API")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise UnknownName(what="scope", name=", ".join(unknown), known=", ".join(SCOPES))
    if minutes is None and SHORT in scopes:
        minutes = WORK_MINUTES
    secret, until = _generate(), Now() + timedelta(days=min(max(days, 1), MAX_DAYS))
    lasts = timedelta(minutes=max(minutes, 1)) if minutes else None
    token = ApiToken.objects.create(
        user=user,
        name=name[:100],
        prefix=secret[:12],
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        may_decide=may_decide,
        lasts=lasts,
        renewable_until=until if lasts else None,
        expires_at=Least(Now() + lasts, until) if lasts else until,
    )
    _record(EventKind.TOKEN_CREATED, token, user)
    return token, secret


def verify(secret: str) -> ApiToken:
    """The live token behind a secret, its `user` limited to what the token opens; TokenInvalid otherwise.

    A wrong checksum is refused without asking the database. `last_used_at` is kept to the minute.
    """
    if not is_well_formed(secret):
        raise TokenInvalid(reason="it is misspelt or not one of ours")
    digest = _digest(secret)
    unused = Q(last_used_at=None) | Q(last_used_at__lt=Now() - timedelta(minutes=1))
    own_end = Q(expires_at__lte=Now()) | Q(lasts__isnull=False, created_at__lte=Now() - F("lasts"))
    known = ApiToken.objects.select_related("user").annotate(unused=_claim(unused))
    found: Any = known.annotate(expired=_claim(own_end)).filter(digest=digest).first() or (
        known.filter(renewed__digest=digest).annotate(expired=_claim(Q(renewed__expires_at__lte=Now()))).first()
    )
    if found is None:
        raise TokenInvalid(reason="nobody made it, or it was renewed long ago")
    token: ApiToken = found
    _refuse_dead(token, expired=found.expired)
    if found.unused:
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=Now())
    permissions.act_through(token)
    return token


@transaction.atomic
def renew(*, token_id: int) -> tuple[ApiToken, str]:
    """The next secret of a token whose secrets are short-lived; the one in use ends by itself, at its time.

    Refused: a token that is made for longer, one whose time is over, and one that too many share.
    """
    token = ApiToken.objects.select_for_update().select_related(None).get(pk=token_id)
    if token.lasts is None or token.renewable_until is None:
        raise TokenNotRenewable(reason="its one secret lasts until its end")
    if token.revoked_at is not None:
        raise TokenNotRenewable(reason="it was revoked")
    token.renewed.filter(expires_at__lte=Now()).delete()
    if token.renewed.count() >= MOST_LIVE:
        raise TokenNotRenewable(reason=f"{MOST_LIVE} of its secrets are live; give each worker its own token")
    if not ApiToken.objects.filter(pk=token_id, renewable_until__gt=Now()).exists():
        raise TokenNotRenewable(reason="the time for which it was made is over")
    secret = _generate()
    ends = Least(Now() + token.lasts, F("renewable_until"))
    ApiToken.objects.filter(pk=token_id).update(expires_at=ends)
    token.refresh_from_db(fields=["expires_at"])
    RenewedSecret.objects.create(token=token, digest=_digest(secret), expires_at=token.expires_at)
    _record(EventKind.TOKEN_RENEWED, token, token.user)
    return token, secret


@transaction.atomic
def revoke(*, token_id: int, by: User) -> ApiToken:
    """End a token for good: one's own, or anybody's with the right to manage access."""
    token = ApiToken.objects.select_for_update().filter(pk=token_id).first()
    if token is None or (token.user_id != by.pk and not permissions.can(by, "manage_access")):
        raise UnknownName(what="token", name=token_id, known="your own")
    if token.revoked_at is None:
        token.revoked_at = Now()
        token.save(update_fields=["revoked_at"])
        _record(EventKind.TOKEN_REVOKED, token, by)
    return token


def is_well_formed(secret: str) -> bool:
    """Whether the text has our prefix, length and checksum: a typing error, or a leak scanner's question."""
    body, check = secret[len(PREFIX) : -_CHECK], secret[-_CHECK:]
    shaped = secret.startswith(PREFIX) and len(body) == _BODY and secret.isascii() and body.isalnum()
    return shaped and hmac.compare_digest(_checksum(body), check)


def _claim(condition: Q) -> "ExpressionWrapper[Q]":
    return ExpressionWrapper(condition, output_field=BooleanField())


def _refuse_dead(token: ApiToken, *, expired: bool) -> None:
    if token.revoked_at is not None:
        raise TokenInvalid(reason="it was revoked")
    if not token.user.is_active:
        raise TokenInvalid(reason="its owner's account is closed")
    if expired:
        raise TokenInvalid(reason="it has expired")


def _generate() -> str:
    body = _base62(secrets.randbits(256), _BODY)
    return f"{PREFIX}{body}{_checksum(body)}"


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(f"{PREFIX}{body}".encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def _digest(secret: str) -> str:
    # 256 random bits need no salt and no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(kind: EventKind, token: ApiToken, by: User) -> None:
    facts: dict[str, Json] = {
        "id": token.pk,
        "name": token.name,
        "owner": token.user.username,
        "may_decide": token.may_decide,
        "scopes": list(token.scopes),
    }
    events.append(kind, actor=services.actor_of(by), data=facts)
