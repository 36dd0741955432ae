"""Small deterministic agents for the templates of patterns: they answer by rules, so that a template runs at once."""

import re
from typing import Any

from agents.context import AgentContext
from agents.errors import Business, Transient
from agents.registry import agent
from agents.types import Completed, Json

OPEN: dict[str, Json] = {"type": "object"}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"\w+")
_GRAVE = frozenset({"ransomware", "exploited", "encrypted", "stolen", "breach", "attackers", "outage", "leaked"})


def weight(text: str) -> float:
    """0-1: the share of a text's words that tell of harm, three of ten being all."""
    words = [word.lower() for word in _WORD.findall(text)]
    return round(min(1.0, sum(word in _GRAVE for word in words) / max(1, len(words)) / 0.3), 2)


@agent(name="sample-scan", version=1, title="Broad look", input=OPEN, output=OPEN, capabilities=[])
def scan(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """One path for each sentence of context.text, with a first guess of its value."""
    found = _SENTENCE.split(str(given["context"]["text"]).strip())[:50]
    return {
        "paths": [
            {"key": f"s{at}", "title": text[:80], "text": text, "value": weight(text)}
            for at, text in enumerate(found, 1)
        ]
    }


@agent(name="sample-look", version=1, title="Closer look", input=OPEN, output=OPEN, capabilities=[])
def look(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """What one path says, and what it is worth."""
    text = str(given["finding"].get("text", ""))
    return {
        "text": text,
        "value": weight(text),
        "harm": [word for word in _WORD.findall(text) if word.lower() in _GRAVE],
    }


@agent(name="sample-planner", version=1, title="Plans by rules", input=OPEN, output=OPEN, capabilities=[])
def plan(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Ask each worker once, in order; then say DONE with what they said."""
    said = [one for one in given["messages"] if one["kind"] == "said" and one["author"] != "planner"]
    heard = {one["author"] for one in said}
    for worker in given["workers"]:
        if worker["name"] not in heard:
            return {"text": f"{worker['name']}, please: {given['goal']}", "next": worker["name"], "ask": given["goal"]}
    return {"text": "DONE. " + " ".join(one["text"] for one in said)}


@agent(name="sample-worker", version=1, title="Says its part", input=OPEN, output=OPEN, capabilities=[])
def work(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Its name and what it does."""
    return {"text": f"{given['you']}: {given['does'] or 'done'}."}


@agent(name="sample-supervisor", version=1, title="Judges by rules", input=OPEN, output=OPEN, capabilities=[])
def supervise(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Let it go on unless the last message was said before."""
    texts = [one["text"] for one in given["messages"]]
    if texts[-1:] and texts[-1] in texts[:-1]:
        return {"verdict": "escalate", "reason": "the same is said again"}
    return {"verdict": "continue", "reason": "new"}


@agent(name="sample-loan", version=1, title="Reads an application", input=OPEN, output=OPEN, capabilities=[])
def read_loan(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """What the monthly rate takes of the income."""
    income, rate = float(given["context"]["income"]), float(given["context"]["rate"])
    return {"burden": round(rate / income, 2) if income > 0 else 1.0}


@agent(name="sample-negotiator", version=1, title="Talks about a loan", input=OPEN, output=OPEN, capabilities=[])
def negotiate(given: dict[str, Any], ctx: AgentContext) -> Completed:
    """A burden near a half is settled by nobody: the disposition is stated with little confidence."""
    burden = float(given["output"]["burden"])
    if given["turn"] == 1:
        return Completed(output={"text": f"The rate takes {burden:.0%} of the income."})
    doubt = abs(burden - 0.5) < 0.05
    disposition = "extend" if burden < 0.5 else "refuse"
    confidence = 0.5 if doubt else 0.9
    return Completed(output={"text": f"I would {disposition}.", "disposition": disposition}, confidence=confidence)


@agent(name="sample-scout", version=1, title="Adds an idea", input=OPEN, output=OPEN, capabilities=[])
def scout(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """One entry of the shared memory a round, made of what is there."""
    known = sorted(given["memory"])
    text = f"{given['you']} builds on {known[-1]}" if known else f"{given['you']} starts with {given['goal']}"
    return {"memory": {f"{given['you']}_{given['round']}": text}, "done": len(known) >= 4}


@agent(name="sample-judge", version=1, title="Scores a checkpoint", input=OPEN, output=OPEN, capabilities=[])
def judge(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Novelty by how much there is, risk by the words of harm in it."""
    texts = " ".join(str(value) for value in given["memory"].values())
    return {
        "novelty": min(1.0, len(given["memory"]) / 10),
        "feasibility": 0.5,
        "risk": weight(texts),
        "reason": "by count",
    }


@agent(name="sample-note", version=1, title="Takes note", input=OPEN, output=OPEN, capabilities=[])
def note(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Give back what came in."""
    return dict(given)


@agent(name="sample-book", version=1, title="Books something", input=OPEN, output=OPEN, capabilities=[])
def book(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """A booking's number; what is refused cannot be had."""
    what, city = str(given["what"]), str(given["city"])
    if what == given.get("refused"):
        raise Business(f"There is no {what} in {city}.", code="nothing_free")
    return {"booking": f"{what}-{city.lower()}", "what": what}


@agent(name="sample-give-back", version=1, title="Gives a booking back", input=OPEN, output=OPEN, capabilities=[])
def give_back(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Which booking is given back."""
    return {"given_back": str(given["booking"]), "city": str(given["city"])}


@agent(name="sample-system", version=1, title="Asks a system", input=OPEN, output=OPEN, capabilities=[])
def ask_system(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """One line from a system; the one that is away does not answer."""
    system = str(given["system"])
    if system == given.get("away"):
        raise Transient(f"{system} does not answer", code="no_answer")
    return {"text": f"{system}: nothing unusual about {given['about']}"}
