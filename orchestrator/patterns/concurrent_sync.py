"""concurrent_sync: branches work side by side in rounds; after each one findings merge and conflicts are resolved."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from agents.marking import marked as _
from agents.types import Json
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step, person_step

ROUNDS: Final = 3  # if the step does not say
KEYS: Final = 200  # of the shared findings
VALUE: Final = 2_000  # bytes of one finding
_ASKED: Final = 20  # conflicts on one card
_GRACE: Final = 5.0  # seconds that a branch has beyond its interval to hand in what it found
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
RULES: Final = ("ask", "majority", "confidence", "first")
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["branches", "queue"],
    "properties": {
        "branches": {
            "type": "array",
            "minItems": 2,
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
                    "agent": _AGENT,
                    "input": {"type": "object"},
                },
            },
        },
        "queue": {"type": "string", "description": "Queue of the people who resolve what no rule does."},
        "rounds": {"type": "integer", "minimum": 1, "maximum": 50, "description": f"{ROUNDS} if left out."},
        "every_s": {
            "type": "number",
            "minimum": 1,
            "maximum": 86_400,
            "description": "Sync interval: seconds that a round may take. A round lasts as long as its slowest branch "
            "if this is left out.",
        },
        "resolve": {"enum": list(RULES), "description": "How contradictions are resolved; ask if left out."},
    },
}
HELP = registry.Help(
    when=_("Independent work on one question whose findings should flow into each other before all of it is done."),
    strengths=_(
        "Branches run at once; what one finds helps the others in the next round; contradictions surface early."
    ),
    limits=(
        f"A round waits for its slowest branch, or its interval. At most {KEYS} shared findings of {VALUE:,} bytes. "
        "Findings merge at sync points only, never within a round."
    ),
    complexity=_("Medium: branches times rounds tasks."),
    observability=_(
        "The run's state keeps each version of the findings with who wrote them, and every conflict's sides."
    ),
    governance=_(
        "No contradiction goes on: a named rule resolves it, and what the rule leaves open is asked of people before "
        "the next round. What was rejected does not come up again. Who rejects the question leaves out every finding "
        "that it is about."
    ),
    tooling=_(
        "A branch takes {branch, round, rounds, seconds, shared, own, input, context} and answers {findings: {key: "
        "value}, done}. People may set a finding with a note that carries set: {key: value}."
    ),
    template=registry.template("concurrent_sync"),
)


class ConcurrentSync:
    """See `HELP`."""

    name = "concurrent_sync"
    title = _("Concurrent with sync points")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """The branches' agents."""
        named = [str(one.get("agent")) for one in _branches(options)]
        return [agent for agent in named if "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Two branches of one name."""
        names = [str(one.get("name")) for one in _branches(options)]
        if len(set(names)) < len(names):
            yield "options.branches", "two branches have one name", "give each a name of its own"

    def look(self, turn: Turn) -> Move:
        """round -> sync point (-> people, for what no rule resolves) -> round ..."""
        match turn.memory.get("asked"):
            case None:
                kept = {"findings": {}, "conflicts": [], "round": 0, "own": {}, "tokens": 0, "done": []}
                return _round(turn, kept)
            case "branches":
                return _sync(turn)
            case _:
                return _resolved(turn)


def _branches(options: dict[str, Json]) -> list[dict[str, Json]]:
    return [bounds.mapping(one) for one in bounds.items(options.get("branches"))]


def _round(turn: Turn, kept: dict[str, Any]) -> Move:
    """The next round of the branches that have not said that they are done."""
    options, number = turn.options, kept["round"] + 1
    rounds = int(bounds.number(options.get("rounds"), ROUNDS))
    working = [one for one in _branches(options) if one["name"] not in kept["done"]]
    if kept.get("ended") or number > rounds or not working:
        return _finish(kept)
    seconds = bounds.number(options.get("every_s"))
    shared = {key: entry["value"] for key, entry in kept["findings"].items()}
    children = []
    for one in working:
        name = str(one["name"])
        given: dict[str, Json] = {
            "branch": name,
            "round": number,
            "rounds": rounds,
            "seconds": seconds,
            "shared": shared,
            "own": kept["own"].get(name, {}),
            "input": one.get("input", {}),
            "context": bounds.value(turn.given),
        }
        timeout = seconds + _GRACE if seconds else turn.step.timeout
        step = agent_step(str(one["agent"]), title=f"{turn.step.title}: {name}, round {number}", timeout=timeout)
        children.append(Child(f"{turn.step.key}.{name}.{number}", step, given=given))
    names = [str(one["name"]) for one in working]
    memory = {**kept, "asked": "branches", "round": number, "names": names}
    return Spawn(children, memory=memory, shared=_shared(kept), facts={"says": f"round {number} of {', '.join(names)}"})


def _sync(turn: Turn) -> Move:
    """Merge the round's findings; what contradicts goes to the rule, then to people."""
    kept = _kept(turn)
    names: list[str] = kept["names"]
    if not any(result.succeeded for result in turn.results) and not kept["findings"]:
        return Fail("sync_empty", f"None of the branches of {turn.step.key} found anything; see their tasks.")
    for name, result in zip(names, turn.results, strict=True):
        if result.succeeded:
            kept["own"][name] = bounds.value(result.output)
        if result.output.get("done") is True:
            kept["done"].append(name)
    sides = _sides(kept, [(name, result) for name, result in zip(names, turn.results, strict=True) if result.succeeded])
    conflicts = []
    for key, claims in sides.items():
        if len({_text(claim["value"]) for claim in claims}) == 1:
            _write(kept, key, claims[0])
        else:
            conflicts.append({"key": key, "round": kept["round"], "sides": claims})
    _hear(turn, kept)
    return _resolve(turn, kept, conflicts)


def _sides(kept: dict[str, Any], found: Sequence[tuple[str, Result]]) -> dict[str, list[dict[str, Json]]]:
    """Who claims what for each key that was written this round, what was held before among them."""
    sides: dict[str, list[dict[str, Json]]] = {}
    for name, result in found:
        for key, value in list(bounds.mapping(result.output.get("findings")).items())[:KEYS]:
            cut = bounds.value(value, VALUE)
            before = kept["findings"].get(key[:100])
            if before is None and len(kept["findings"]) + len(sides) >= KEYS:
                continue
            rejected = before["rejected"] if before is not None else kept.get("dropped", {}).get(key[:100], ())
            if _text(cut) in rejected:
                continue  # settled before; who repeats it opens no new conflict
            claim = {"by": name, "value": cut, "confidence": result.confidence, "task": result.task}
            sides.setdefault(key[:100], []).append(claim)
    for key, claims in sides.items():
        before = kept["findings"].get(key)
        if before is not None and before["by"] not in {claim["by"] for claim in claims}:
            claims.insert(0, {name: before[name] for name in ("by", "value", "confidence", "task")})
    return sides


def _resolve(turn: Turn, kept: dict[str, Any], conflicts: Sequence[dict[str, Any]]) -> Move:
    """By the rule what it can; people are asked for the rest, before the next round."""
    rule = str(turn.options.get("resolve", "ask"))
    open_ones = []
    for conflict in conflicts:
        chosen = _by_rule(rule, conflict["sides"])
        if chosen is None:
            open_ones.append(conflict)
        else:
            _settle(kept, conflict, chosen, by=f"rule:{rule}")
    return _ask(turn, kept, open_ones) if open_ones else _round(turn, kept)


def _by_rule(rule: str, sides: list[dict[str, Json]]) -> int | None:
    """The place of the side that the rule chooses; None where it does not decide."""
    match rule:
        case "first":
            return 0
        case "majority":
            counts = Counter(_text(side["value"]) for side in sides).most_common(2)
            if len(counts) == 2 and counts[0][1] == counts[1][1]:
                return None
            return next(place for place, side in enumerate(sides) if _text(side["value"]) == counts[0][0])
        case "confidence":
            best = max(bounds.number(side["confidence"], -1.0) for side in sides)
            leading = [place for place, side in enumerate(sides) if bounds.number(side["confidence"], -1.0) == best]
            return leading[0] if len({_text(sides[place]["value"]) for place in leading}) == 1 else None
        case _:
            return None


def _ask(turn: Turn, kept: dict[str, Any], open_ones: Sequence[dict[str, Any]]) -> Spawn:
    asked, later = open_ones[:_ASKED], open_ones[_ASKED:]
    fields: dict[str, Json] = {
        f"c{number}": {"type": "string", "title": conflict["key"], "enum": _labels(conflict)}
        for number, conflict in enumerate(asked, start=1)
    }
    form: dict[str, Json] = {"type": "object", "properties": fields, "required": [*fields]}
    count = f"{len(asked)} contradiction{'s' if len(asked) > 1 else ''}"
    rejected = "no side holds: these findings are left out, and what was claimed does not come up again."
    queue = str(turn.options["queue"])
    step = person_step(f"{turn.step.title}: {count}", queue=queue, form=form, rejected=rejected)
    given: dict[str, Json] = {"conflicts": [*asked], "findings": kept["findings"]}
    child = Child(f"{turn.step.key}.conflicts.{kept['round']}.{turn.number}", step, given=given)
    memory = {**kept, "asked": "people", "conflicted": [*asked], "later": [*later]}
    return Spawn([child], memory=memory, shared=_shared(kept), facts={"says": f"{count}; people are asked"})


def _labels(conflict: dict[str, Any]) -> list[Json]:
    return [f"{side['by']}: {bounds.text(side['value'], 200)}" for side in conflict["sides"]]


def _resolved(turn: Turn) -> Move:
    """People have chosen; go on with the conflicts that did not fit on the card, or with the next round."""
    kept, answer, rejection = _kept(turn), turn.results[0].output, turn.results[0].rejection
    for number, conflict in enumerate(kept.pop("conflicted"), start=1):
        if rejection is not None:
            _drop(kept, conflict, rejection)
            continue
        labels = _labels(conflict)
        chosen = answer.get(f"c{number}")
        _settle(kept, conflict, labels.index(chosen) if chosen in labels else 0, by="person")
    _hear(turn, kept)
    later = kept.pop("later")
    return _ask(turn, kept, later) if later else _round(turn, kept)


def _settle(kept: dict[str, Any], conflict: dict[str, Any], place: int, *, by: str) -> None:
    chosen = conflict["sides"][place]
    _write(kept, conflict["key"], chosen)
    entry = kept["findings"][conflict["key"]]
    others = {_text(side["value"]) for side in conflict["sides"]} - {_text(chosen["value"])}
    entry["rejected"] = sorted({*entry["rejected"], *others})
    kept["conflicts"].append({**conflict, "chosen": place, "resolved_by": by})


def _drop(kept: dict[str, Any], conflict: dict[str, Any], note: str) -> None:
    """No side holds: the finding is left out, and none of these values is taken up again."""
    before = kept["findings"].pop(conflict["key"], None)
    gone = {_text(side["value"]) for side in conflict["sides"]} | {*(before["rejected"] if before else ())}
    kept.setdefault("dropped", {})[conflict["key"]] = sorted(gone | {*kept.get("dropped", {}).get(conflict["key"], ())})
    kept["conflicts"].append({**conflict, "chosen": None, "resolved_by": "person", "why": bounds.text(note, 1000)})


def _write(kept: dict[str, Any], key: str, claim: dict[str, Json]) -> None:
    rejected = kept["findings"].get(key, {}).get("rejected", [])
    kept["findings"][key] = {**claim, "round": kept["round"], "rejected": rejected}


def _hear(turn: Turn, kept: dict[str, Any]) -> None:
    """People may set findings between two turns, or end it."""
    for note in turn.notes:
        for key, value in bounds.mapping(note.data.get("set")).items():
            claim: dict[str, Json] = {"by": note.by, "value": bounds.value(value, VALUE), "confidence": None, "task": 0}
            before = kept["findings"].get(key)
            _write(kept, key, claim)
            if before is not None and _text(before["value"]) != _text(claim["value"]):
                entry = kept["findings"][key]
                entry["rejected"] = sorted({*entry["rejected"], _text(before["value"])})
        kept["ended"] = kept.get("ended") or note.kind == "end"


def _finish(kept: dict[str, Any]) -> Finish:
    findings = kept["findings"]
    known = [bounds.number(entry["confidence"]) for entry in findings.values() if entry["confidence"] is not None]
    output: dict[str, Json] = {
        "findings": {key: entry["value"] for key, entry in findings.items()},
        "by": {key: entry["by"] for key, entry in findings.items()},
        "conflicts": kept["conflicts"],
        "rounds": kept["round"],
        "tokens": kept["tokens"],
    }
    return Finish(output, confidence=min(known, default=None))


def _kept(turn: Turn) -> dict[str, Any]:
    """A copy of the memory that may be changed, with the last results' tokens counted in."""
    kept: dict[str, Any] = orjson.loads(orjson.dumps(turn.memory))
    kept["tokens"] += sum(result.tokens for result in turn.results)
    return kept


def _shared(kept: dict[str, Any]) -> dict[str, Json]:
    return {name: bounds.value(kept[name], bounds.STATE) for name in ("findings", "conflicts")}


def _text(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
