"""The pages below those of the navigation, by the page that leads to them. The search finds them by their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Subpage:
    """One of them; whoever may open the page above may open it."""

    view: str
    icon: str
    word: str | Promise


BELOW: Final[Mapping[str, tuple[Subpage, ...]]] = {
    "approvals:inbox": (
        Subpage("approvals:history", "clock", _("What you decided")),
        Subpage("approvals:looks", "eye", _("Second looks")),
        Subpage("approvals:own", "activity", _("Your reviewing")),
        Subpage("approvals:away", "users", _("Away and stand-ins")),
        Subpage("approvals:keys", "list", _("Your keys")),
    ),
    "alerts:alerts": (
        Subpage("alerts:history", "rotate-ccw", _("History of alerts")),
        Subpage("alerts:rules", "sliders-horizontal", _("Alert rules")),
        Subpage("alerts:runbooks", "list", _("Runbooks")),
        Subpage("alerts:on-call", "users", _("On call")),
        Subpage("alerts:silences", "moon", _("Silences")),
    ),
    "orchestrator:runs": (
        Subpage("orchestrator:upcoming", "clock", _("Upcoming starts")),
        Subpage("orchestrator:incomplete", "circle-alert", _("Ended in part")),
    ),
    "orchestrator:workflows": (
        Subpage("orchestrator:patterns", "network", _("Patterns")),
        Subpage("orchestrator:advisor", "users", _("One agent or several?")),
    ),
    "agents:agents": (Subpage("orchestrator:out-of-service", "circle-pause", _("Agents out of service")),),
    "feedback:feedback": (
        Subpage("feedback:patterns", "activity", _("Patterns of verdicts")),
        Subpage("feedback:lessons", "pencil", _("Corrections")),
        Subpage("feedback:improvements", "flame", _("Improvements")),
        Subpage("feedback:proposals", "zap", _("Proposals")),
        Subpage("feedback:backtest", "rotate-ccw", _("Gate backtest")),
        Subpage("feedback:retrospective", "users", _("Retrospective")),
        Subpage("feedback:usability", "eye", _("Accessibility")),
    ),
    "monitoring:metrics": (
        Subpage("monitoring:metrics", "activity", _("Figures")),
        Subpage("monitoring:costs", "coins", _("Costs")),
        Subpage("monitoring:worth", "sliders-horizontal", _("What it is worth")),
        Subpage("monitoring:digests", "newspaper", _("Digests")),
    ),
    "monitoring:audit": (Subpage("monitoring:holds", "lock", _("Legal holds")),),
    "access:people": (
        Subpage("access:people", "users", _("People")),
        Subpage("access:roles", "key-round", _("Roles")),
        Subpage("access:queues", "inbox", _("Queues")),
        Subpage("access:answerable", "network", _("Responsibilities")),
        Subpage("access:changes", "hourglass", _("Changes of access")),
    ),
    "": (
        Subpage("approvals:notices", "bell", _("Notices")),
        Subpage("approvals:notice-settings", "sliders-horizontal", _("How you are told")),
        Subpage("mfa_index", "shield-check", _("Security and tokens")),
        Subpage("token-list", "key-round", _("API tokens")),
    ),
}
