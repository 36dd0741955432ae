"""Who may see agents: asked of the rights that settings name, because this app knows no people."""

from functools import cache
from importlib import import_module
from typing import Protocol, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.utils.translation import gettext as _


class Rights(Protocol):
    """The part of `approvals.permissions` that pages of agents need."""

    def can(self, user: User | AnonymousUser, verb: str, obj: Model | None = None) -> bool:
        """Whether the user may do `verb` on `obj`; without an object, whether they may do it everywhere."""
        ...


@cache
def rights() -> Rights:
    """The configured rights."""
    return cast("Rights", import_module(settings.RIGHTS))


def require_see(user: User | AnonymousUser) -> None:
    """Raise PermissionDenied unless the user may see agents, their tools and policies."""
    if not rights().can(user, "see_agents"):
        raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))
