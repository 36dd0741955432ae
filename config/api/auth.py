"""Who calls: a bearer token, or the browser's session with a CSRF token. Both are rate-limited."""

import hashlib
import math
from collections import OrderedDict
from typing import Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from approvals import permissions, tokens
from approvals.errors import TokenInvalid
from config.api.limits import CALLBACK, FAILURE, TOKEN, USER, Rate, buckets
from orchestrator import callbacks, workers
from orchestrator.api_errors import Forbidden
from orchestrator.errors import CallbackUnknown, OrchestratorError

MAX_KNOWN: Final = 10_000


class TooManyRequests(OrchestratorError):
    """Too many requests; wait {seconds} s and go on more slowly."""

    code = "too_many_requests"
    status = 429


class Bearer(HttpBearer):
    """`Authorization: Bearer wk_...`. Wrong tokens from one address are throttled before the database is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._known: OrderedDict[str, None] = (
            OrderedDict()
        )  # digests that were accepted here: never throttled as guesses

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """The token's owner, limited to what the token opens. TokenInvalid, TooManyRequests or Forbidden otherwise."""
        address = f"failed:{request.META.get('REMOTE_ADDR', '')}"
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        if digest not in self._known:
            _spend(address, FAILURE, amount=0)
        try:
            found = tokens.verify(token)
        except TokenInvalid:
            buckets.take(address, FAILURE)
            raise
        self._remember(digest)
        _spend(f"token:{found.pk}", TOKEN)
        return _admit(request, found.user)

    def _remember(self, digest: str) -> None:
        self._known[digest] = None
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


class WorkerBearer(HttpBearer):
    """The same for routes that wait without holding a thread."""

    async def authenticate(self, request: HttpRequest, token: str) -> User:
        """As `Bearer` does."""
        return await sync_to_async(_bearer.authenticate)(request, token)


class SessionCookie(APIKeyCookie):
    """The browser's session; anything but a read also needs the CSRF token in the `X-CSRFToken` header."""

    param_name: str = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> User | None:
        """Nobody, without a signed-in session: the answer is then 401, whatever the CSRF token."""
        if not request.user.is_authenticated:
            return None
        user: User | None = super().__call__(request)
        return user

    def authenticate(self, request: HttpRequest, key: str | None) -> User:
        """The session's user."""
        assert isinstance(request.user, User)
        return _admit(request, request.user)


def by_signed_address(request: HttpRequest) -> bool:
    """Remote agents answer at addresses that we signed. Guesses are throttled like tokens'."""
    caller = request.META.get("REMOTE_ADDR", "")
    _spend(f"failed:{caller}", FAILURE, amount=0)
    token = request.resolver_match.kwargs.get("token", "") if request.resolver_match else ""
    if not workers.is_known(token):
        buckets.take(f"failed:{caller}", FAILURE)
        raise CallbackUnknown
    return True


def by_secret_address(request: HttpRequest) -> bool:
    """A call back needs no session: its address is the permission. Guesses at addresses are throttled like tokens'."""
    caller = request.META.get("REMOTE_ADDR", "")
    _spend(f"callback:{caller}", CALLBACK)
    _spend(f"failed:{caller}", FAILURE, amount=0)
    token = request.resolver_match.kwargs.get("token", "") if request.resolver_match else ""
    if not callbacks.is_known(token):
        buckets.take(f"failed:{caller}", FAILURE)
        raise CallbackUnknown
    return True


_bearer: Final = Bearer()


def _admit(request: HttpRequest, user: User) -> User:
    _spend(f"user:{user.pk}", USER)
    if not permissions.can(user, "use_api"):
        raise Forbidden(verb="use the API")
    request.user = user
    return user


def _spend(name: str, rate: Rate, *, amount: float = 1) -> None:
    if wait := buckets.take(name, rate, amount=amount):
        raise TooManyRequests(seconds=math.ceil(wait))
