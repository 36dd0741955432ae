"""Bearer tokens: made once, shown once, kept as a hash. A token never does more than its owner may."""

import hashlib
import hmac
import secrets
import string
import zlib
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import permissions
from approvals.errors import NotPermitted, TokenInvalid, UnknownName
from approvals.models import ApiToken
from approvals.roles import SCOPES
from orchestrator import events, services
from orchestrator.events import EventKind

PREFIX: Final = "wk_"
_ALPHABET: Final = string.digits + string.ascii_letters
_BODY, _CHECK = 43, 6  # 62**43 > 2**256; 62**6 > 2**32
MAX_DAYS: Final = 366


@transaction.atomic
def create(
    *, user: User, name: str, scopes: list[str], days: int = 90, may_decide: bool = False
) -> tuple[ApiToken, str]:
    """Make a token for oneself; the second value is the secret, which is not kept and cannot be shown again."""
    if not permissions.can(user, "use_api"):
        raise NotPermitted(verb="use the API")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise UnknownName(what="scope", name=", ".join(unknown), known=", ".join(SCOPES))
    secret = _generate()
    token = ApiToken.objects.create(
        user=user,
        name=name[:100],
        prefix=secret[:12],
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        may_decide=may_decide,
        expires_at=Now() + timedelta(days=min(max(days, 1), MAX_DAYS)),
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
    token = (
        ApiToken.objects.select_related("user")
        .annotate(expired=ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField()))
        .annotate(unused=ExpressionWrapper(unused, output_field=BooleanField()))
        .filter(digest=digest)
        .first()
    )
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise TokenInvalid(reason="nobody made it")
    _refuse_dead(token, expired=token.expired)
    if token.unused:
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=Now())
    permissions.act_through(token)
    return token


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
