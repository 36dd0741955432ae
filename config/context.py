"""What the shell around every page shows: navigation with counts, who is signed in, stops in force."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents import sections
from approvals import permissions
from approvals import queries as approvals
from approvals.accounts import changes
from approvals.importing.views import may_import
from approvals.notices import queries as notices
from config import subpages
from monitoring import frame_db, queries
from monitoring.alerts import handling as alert_handling
from monitoring.alerts import queries as alerts
from monitoring.alerts import visibility as alert_visibility
from monitoring.machinery import Trouble, troubles
from monitoring.queries import StopInForce
from orchestrator import parts


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation."""

    href: str
    icon: str
    word: str
    key: str
    current: bool
    count: str = ""
    hot: bool = False


class Account(NamedTuple):
    """What the account's menu says, as values: it is written once for the same ones."""

    name: str
    roles: str
    has_inbox: bool
    answers: str  # where a file of answers is given, if this person may give one
    unread: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What the navigation may hold, and the verb that opens it."""

    view: str
    icon: str
    word: str | Promise
    verb: str
    key: str
    counted: str = ""


WORK = (
    Entry("monitoring:floor", "eye", _("Watch floor"), "see_floor", "g f"),
    Entry("approvals:inbox", "inbox", _("Inbox"), "see_gate", "g i", "inbox"),
    Entry("alerts:alerts", "shield-alert", _("Alerts"), "see_floor", "g e", "alerts"),
    Entry("orchestrator:runs", "play", _("Runs"), "see_runs", "g r", "runs"),
)
MATTER = (
    Entry("orchestrator:workflows", "workflow", _("Workflows"), "see_runs", "g w"),
    Entry("orchestrator:gallery", "layers", _("Gallery"), "see_runs", "g l"),
    Entry("agents:agents", "bot", _("Agents"), "see_agents", "g a"),
    Entry("orchestrator:teams", "users", _("Teams"), "see_agents", "g m"),
    Entry("feedback:feedback", "message-square", _("Feedback"), "see_agents", "g b"),
    Entry("approvals:oversight", "users", _("How people decide"), "see_oversight", "g o"),
    Entry("monitoring:metrics", "activity", _("Analytics"), "see_runs", "g n"),
    Entry("monitoring:audit", "shield-check", _("Audit"), "see_audit", "g t"),
    Entry("monitoring:telemetry", "external-link", _("Telemetry"), "see_metrics", "g y"),
    Entry("access:people", "key-round", _("Access"), "see_audit", "g c", "access"),
)


class Shell:
    """Worked out piece by piece, when the template asks: a fragment without navigation costs nothing."""

    def __init__(self, user: User, at: str, waiting: Callable[[], int | None] = lambda: None) -> None:
        """`waiting`: how many cards wait for this person, if the page has counted them already."""
        self.user = user
        self.at = at
        self._waiting = waiting

    @cached_property
    def name(self) -> str:
        """The user's full name, or else the user name."""
        return self.user.get_full_name() or self.user.get_username()

    @cached_property
    def roles(self) -> str:
        """The user's roles in words."""
        return ", ".join(permissions.rights_of(self.user).groups)

    @cached_property
    def account(self) -> Account:
        """The menu of whoever is signed in."""
        return Account(self.name, self.roles, bool(self.inbox), self.answers, self.unread)

    @cached_property
    def groups(self) -> list[list[Link]]:
        """The navigation's groups, without what the user may not see."""
        found = [[self._link(entry) for entry in group if self._may(entry)] for group in (WORK, MATTER)]
        return [group for group in found if group]

    @property
    def first(self) -> list[Link]:
        """What a phone's bottom bar shows."""
        return self._links[:4]

    @property
    def rest(self) -> list[Link]:
        """What it keeps behind "More"."""
        return self._links[4:]

    @property
    def is_in_rest(self) -> bool:
        """Whether the user is on one of those."""
        return any(link.current for link in self.rest)

    @cached_property
    def below(self) -> list[Link]:
        """The pages beside those of the navigation, which the search finds by their names."""
        beside = self._beside_agents
        found = [Link(reverse(one.url), one.icon, str(one.title), one.key, current=False) for one in beside]
        opened = {entry.view for entry in (*WORK, *MATTER) if self._may(entry)} | {""}
        pages = (page for above, pages in subpages.BELOW.items() if above in opened for page in pages)
        return found + [Link(reverse(page.view), page.icon, str(page.word), "", current=False) for page in pages]

    @cached_property
    def answers(self) -> str:
        """Where a file of answers is given; empty for someone who may end no wait."""
        return reverse("approvals:import-answers") if may_import(self.user) else ""

    @cached_property
    def inbox(self) -> str:
        """Where the inbox is; empty for someone without one."""
        return reverse("approvals:inbox") if permissions.can_somewhere(self.user, "see_gate") else ""

    @cached_property
    def keys(self) -> str:
        """The user's own keys as JSON; empty where all are the usual ones."""
        profile = getattr(self.user, "profile", None)
        return json.dumps(profile.keys) if profile is not None and profile.keys else ""

    @cached_property
    def unread(self) -> int:
        """How many notices the user has not read; what there is nothing to do about any more does not count."""
        return notices.unread(self.user) if "notices" in self._there else 0

    @cached_property
    def may_stop(self) -> bool:
        """Whether the user may stop anything at all."""
        return any(permissions.can_somewhere(self.user, verb) for verb in ("stop_everything", "stop_workflow"))

    @cached_property
    def sees_runs(self) -> bool:
        """Whether the pages of runs and workflows open for the user."""
        return permissions.can_somewhere(self.user, "see_runs")

    @cached_property
    def stops(self) -> list[StopInForce]:
        """The stops in force, for everybody: nobody should wonder why nothing moves."""
        if "stops" not in self._there:
            return []
        return queries.stops_in_force(may_lift=permissions.can(self.user, "lift_stop"))

    @cached_property
    def sees_alerts(self) -> bool:
        """Whether the pages of alerts open for the user."""
        return alert_visibility.may_enter(self.user)

    @cached_property
    def may_handle_alerts(self) -> bool:
        """Whether the user may acknowledge them."""
        return alert_handling.may_handle(self.user)

    @cached_property
    def alerts(self) -> list[alerts.Line]:
        """The critical ones that nobody has answered: on every page until somebody does."""
        return alerts.critical(self.user)

    @cached_property
    def machinery(self) -> list[Trouble]:
        """What is away of that which makes runs go on: said to everybody, for nobody should take quiet for calm."""
        return troubles()

    @cached_property
    def _there(self) -> frozenset[str]:
        return frame_db.there(self.user.pk)

    @property
    def _beside_agents(self) -> list[sections.Section]:
        return sections.sections(self.user)[1:]

    @property
    def _links(self) -> list[Link]:
        return [link for group in self.groups for link in group]

    def _may(self, entry: Entry) -> bool:
        if permissions.can_somewhere(self.user, entry.verb):
            return True
        return entry.counted == "runs" and parts.some(self.user)  # their teams' part of some

    def _link(self, entry: Entry) -> Link:
        href = reverse(entry.view)
        current = self.at == href or (href != "/" and self.at.startswith(href) and not self._is_deeper(href))
        count = self._count(entry.counted)
        shown = "999+" if count > 999 else str(count or "")
        return Link(
            href,
            entry.icon,
            str(entry.word),
            entry.key,
            current,
            shown,
            hot=entry.counted in ("inbox", "access", "alerts"),
        )

    def _is_deeper(self, href: str) -> bool:
        """Whether another entry, below this one's address, is where the user is."""
        others = (reverse(entry.view) for entry in (*WORK, *MATTER))
        return any(len(other) > len(href) and self.at.startswith(other) for other in others)

    def _count(self, what: str) -> int:
        if what == "inbox":
            known = self._waiting()
            return approvals.counts(self.user).waiting if known is None else known
        if what == "alerts":
            return alerts.waiting(self.user) if "alerts" in self._there else 0
        if what == "access":
            return changes.waiting().count() if permissions.can(self.user, "manage_access") else 0
        return queries.running_count(self.user) if what == "runs" else 0


def shell(request: HttpRequest) -> dict[str, object]:
    """Context of the navigation and top bar; nothing for someone who has not signed in."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    at = request.GET.get("at") or request.path
    return {"shell": Shell(user, at, lambda: getattr(request, "waiting", None))}
