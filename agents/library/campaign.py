"""Three who settle a campaign's claim in a group chat, and the one who must approve it. Deterministic, by rules."""

import re

from pydantic import Field

from agents.context import AgentContext
from agents.library.incident_contracts import Strict
from agents.registry import agent
from agents.types import Json

LONGEST = 120  # characters of a claim
# Words that promise what nobody can prove: absolute and comparative claims (ICC Advertising Code, articles 5 and 11).
UNPROVEN = ("guaranteed", "best", "perfect", "always", "never", "free", "cure", "instantly", "number one")
_WORDS = re.compile("|".join(rf"\b{word}\b" for word in UNPROVEN), re.IGNORECASE)
_SPACES = re.compile(r"\s+")


class Message(Strict):
    """One thing that was said. Turn 0: a person or an approver said it."""

    turn: int
    author: str
    text: str
    position: str = ""
    agrees: bool = False


class Participant(Strict):
    """Somebody in the chat."""

    name: str
    role: str = ""


class ChatTurn(Strict):
    """What the pattern group_chat gives to whoever speaks next."""

    topic: str
    you: str
    turn: int
    cap: int
    participants: list[Participant]
    tools: list[str] = []
    messages: list[Message] = []
    context: dict[str, Json] = {}
    role: str = ""


class Outcome(ChatTurn):
    """What it gives to the approver."""

    outcome: str
    position: str
    agreeing: float


class Said(Strict):
    """An answer; the same `position` of enough participants is a consensus."""

    text: str
    position: str = ""
    agrees: bool = False


class Approval(Strict):
    """Whether the outcome may leave the chat."""

    approved: bool
    reason: str = Field(default="", max_length=500)


@agent(
    "campaign-copywriter",
    title="Campaign copywriter",
    input=ChatTurn,
    output=Said,
    capabilities=["text.write"],
    tags=["marketing"],
    timeout=20,
)
def write_claim(given: ChatTurn, ctx: AgentContext) -> Said:
    """Offers the brief's first sentence as a claim, and drops what the others object to."""
    brief = str(given.context.get("brief", given.topic))
    claim = _SPACES.sub(" ", re.split(r"(?<=[.!?])\s", brief.strip())[0])
    objections = [message.text for message in given.messages if message.text.startswith("Leave out:")]
    for word in (word for text in objections for word in text.removeprefix("Leave out:").rstrip(".").split(",")):
        claim = re.sub(rf"\b{re.escape(word.strip())}\b", "", claim, flags=re.IGNORECASE)
    if any(message.text.startswith("Shorten") for message in given.messages) and len(claim) > LONGEST:
        claim = claim[:LONGEST].rsplit(" ", 1)[0]
    claim = _SPACES.sub(" ", claim).strip()
    return Said(text=f"My claim: {claim}", position=claim)


@agent(
    "campaign-strategist",
    title="Campaign strategist",
    input=ChatTurn,
    output=Said,
    capabilities=["text.review"],
    tags=["marketing"],
    timeout=20,
)
def judge_length(given: ChatTurn, ctx: AgentContext) -> Said:
    """Agrees to a claim that is short enough to be read on a poster."""
    claim = _offered(given)
    if len(claim) > LONGEST:
        return Said(text=f"Shorten it: {len(claim)} characters, at most {LONGEST} fit on a poster.")
    return Said(text="Short enough.", position=claim, agrees=True)


@agent(
    "campaign-legal",
    title="Campaign legal reader",
    input=ChatTurn,
    output=Said,
    capabilities=["text.review"],
    tags=["marketing", "legal"],
    timeout=20,
)
def read_closely(given: ChatTurn, ctx: AgentContext) -> Said:
    """Objects to words that promise what cannot be proven."""
    claim = _offered(given)
    if found := unproven(claim):
        return Said(text=f"Leave out: {', '.join(found)}.")
    return Said(text="Nothing in it needs a proof.", position=claim, agrees=True)


@agent(
    "campaign-compliance",
    title="Campaign compliance",
    input=Outcome,
    output=Approval,
    capabilities=["compliance.approve"],
    tags=["marketing", "legal"],
    timeout=20,
)
def approve_claim(given: Outcome, ctx: AgentContext) -> Approval:
    """Approves a claim that says something and promises nothing that cannot be proven."""
    if not given.position:
        return Approval(approved=False, reason="No claim was settled on.")
    found = unproven(given.position)
    return Approval(approved=not found, reason=f"Leave out: {', '.join(found)}." if found else "")


def unproven(text: str) -> list[str]:
    """The words in `text` that promise what cannot be proven, each once, in their order."""
    return list(dict.fromkeys(match.group().lower() for match in _WORDS.finditer(text)))


def _offered(given: ChatTurn) -> str:
    return next((message.position for message in reversed(given.messages) if message.position), "")
