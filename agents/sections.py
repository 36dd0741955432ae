"""The pages about agents that stand side by side: one row of tabs, each only for those who may open it."""

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.rights import rights


@dataclass(frozen=True, slots=True)
class Section:
    """One tab: the name of its address, its icon and title, the verb that opens it, and the keys that lead there."""

    url: str
    icon: str
    title: Promise
    verb: str
    key: str = ""


SECTIONS: Final = (
    Section("agents:agents", "bot", _("Agents"), "see_agents"),
    Section("orchestrator:workers", "link", _("Workers"), "see_agents"),
    Section("agents:messages", "message-square", _("Messages"), "see_messages", "g s"),
    Section("agents:quality", "circle-check", _("Quality"), "see_agents", "g q"),
    Section("agents:evaluations", "signal-high", _("Evaluations"), "see_agents", "g v"),
    Section("agents:prompts", "file-text", _("Prompts"), "see_agents", "g p"),
    Section("agents:tools", "sliders-horizontal", _("Tools"), "see_agents", "g u"),
    Section("agents:matrix", "list", _("Who may what"), "see_agents"),
    Section("agents:policies", "shield-check", _("Policies"), "see_agents"),
    Section("agents:guardrails", "lock", _("Guardrails"), "see_agents"),
    Section("agents:memory", "layers", _("Memory"), "edit_agents"),
)


def sections(user: User | AnonymousUser) -> list[Section]:
    """Those that the user may open, in order."""
    return [section for section in SECTIONS if rights().can(user, section.verb)]
