"""Makes the digests that are due, each once, and says so in the log: approvals' notices tell whoever asked for them."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import permissions
from monitoring.digests import building, spans
from monitoring.models import Digest, DigestWish
from orchestrator import events


def tell_due(*, now: datetime | None = None) -> int:
    """For every wish, the newest span that is over and was not told yet; return how many were made."""
    now = now or timezone.now()
    made = 0
    for wish in DigestWish.objects.filter(user__is_active=True).select_related("user"):
        if permissions.can_somewhere(wish.user, "see_runs") and wish.since < spans.last(wish.kind, now)[1]:
            made += make(wish.user, wish.kind, now=now) is not None
    return made


def make(user: User, kind: str, *, now: datetime) -> Digest | None:
    """The digest of the newest span that is over; None if the user has it already."""
    since, until = spans.last(kind, now)
    if Digest.objects.filter(user=user, kind=kind, since=since).exists():
        return None
    body = building.build(user, kind, since, until)
    with transaction.atomic():
        known = {"until": until, "body": body}
        digest, fresh = Digest.objects.get_or_create(user=user, kind=kind, since=since, defaults=known)
        if not fresh:
            return None
        facts: dict[str, Json] = {"digest": digest.pk, "kind": kind, "to": user.pk, "since": since.date().isoformat()}
        events.append("digest.made", actor="engine", data=facts)
    return digest


def wish(user: User, kind: str, *, wanted: bool) -> None:
    """Be told of a kind of digest from now on, or no longer."""
    if wanted:
        DigestWish.objects.get_or_create(user=user, kind=kind)
    else:
        DigestWish.objects.filter(user=user, kind=kind).delete()


def title(digest: Digest) -> str:
    """What it is called."""
    named = {
        "weekly": _("Week from %(day)s"), "monthly": _("Month from %(day)s"), "quarterly": _("Quarter from %(day)s"),
    }  # fmt: skip
    return named[digest.kind] % {"day": digest.since.date().isoformat()}
