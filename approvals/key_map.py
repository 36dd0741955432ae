"""One's own keys in place of the usual ones: one each, stored with the person, the same in every browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.errors import KeysRefused
from approvals.models import Profile

# Usual key: what it does. Two-key commands of the navigation stay as they are.
USUAL: Final[Mapping[str, str | Promise]] = {
    "j": _("Next card"),
    "k": _("Previous card"),
    "o": _("Go into the open card"),
    "a": _("Approve, or the usual verdict"),
    "e": _("Edit, then approve"),
    "c": _("Request changes"),
    "r": _("Reject"),
    "x": _("Escalate"),
    "s": _("Put aside, or skip"),
    "m": _("Take it, or give it back"),
    "u": _("Take the last approval back"),
    "/": _("Search the inbox"),
}
_NEVER: Final = frozenset("?g")


@dataclass(frozen=True, slots=True)
class Line:
    """One command with its usual key and one's own."""

    usual: str
    words: str | Promise
    own: str


def of(user: User) -> dict[str, str]:
    """Usual key to own one, for those that differ."""
    stored: dict[str, str] = Profile.objects.filter(user=user).values_list("keys", flat=True).first() or {}
    return {usual: own for usual, own in stored.items() if usual in USUAL}


def lines(user: User) -> list[Line]:
    """Every command."""
    own = of(user)
    return [Line(usual, words, own.get(usual, usual)) for usual, words in USUAL.items()]


def keep(*, by: User, given: Mapping[str, str]) -> None:
    """Keep these keys; whatever is empty or as usual goes back to the usual one. KeysRefused."""
    own = {usual: key.strip() or usual for usual, key in given.items() if usual in USUAL}
    for key in own.values():
        if len(key) != 1 or not key.isprintable() or key in _NEVER:
            raise KeysRefused(why=f"{key!r} is not one key that is free; ? and g are taken")
    every = [own.get(usual, usual) for usual in USUAL]
    if twice := next((key for key in every if every.count(key) > 1), ""):
        raise KeysRefused(why=f"{twice!r} would do two things")
    differing = {usual: key for usual, key in own.items() if key != usual}
    Profile.objects.update_or_create(user=by, defaults={"keys": differing})
