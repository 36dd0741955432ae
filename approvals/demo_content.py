"""The demo's policy and prompt, for pages that would be empty without. Made once; from then on they are people's."""

from importlib.resources import files
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from agents import event_log
from agents.library.written_summary import INSTRUCTIONS
from agents.models import Policy, PolicyVersion, Prompt
from agents.policies import store
from agents.prompts import services
from agents.prompts.services import Text
from agents.types import Json
from approvals import permissions

POLICIES: Final = ("incident-lookups", "business-series", "content-desk")
PROMPT: Final = "incident-summary"
AUTHOR: Final = "dev"
_TEXT: Final = Text(
    template=f"{INSTRUCTIONS}\n\nText:\n{{{{ text }}}}",
    variables=[
        {
            "name": "text",
            "type": "string",
            "required": True,
            "sample": "A finance clerk joined a video call with people who looked like the board, and paid 25 million "
            "dollars as they asked. All of them were deepfakes.",
        }
    ],
    change="What the threat-summary writer is asked today, as a prompt that somebody else reviews.",
    docs_link="docs/workflows.md",
)


def seed_policy() -> None:
    """Put in force what lets the shipped workflows' agents read what they need, unless people have had it already."""
    for name in POLICIES:
        _seed(name)


@transaction.atomic
def _seed(name: str) -> None:
    if Policy.objects.filter(name=name).exists():
        return
    source = files("agents.library").joinpath("data", f"{name}.yaml").read_text()
    version = store.propose(source, by=None, reason="Ships with the demo.")
    if version.state != PolicyVersion.State.ACTIVE:
        store.activate(version, by=None)
    facts: dict[str, Json] = {"policy": name, "number": version.number, "digest": version.digest}
    for kind in ("policy.proposed", "policy.activated"):
        event_log.record(kind, actor="engine", data=facts)


@transaction.atomic
def seed_prompt() -> None:
    """A prompt that waits for its review and for an evaluation: no model has been measured with it here."""
    author = User.objects.filter(username=AUTHOR).first()
    if author is None or not permissions.can(author, "edit_agents") or Prompt.objects.filter(name=PROMPT).exists():
        return
    draft = services.create(name=PROMPT, title="Summary of an incident", text=_TEXT, by=author)
    services.submit(draft.pk, by=author)
