"""Where cases come from by name: real incidents that no training has seen, the red team's set, and stored datasets."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from agents.evaluation.cases import Case, CasesRefused, Collection, collect
from agents.models import Dataset

RED_TEAM: Final = Path(__file__).parent / "data" / "prompt_injections.jsonl"
_CARRIERS: Final = 3  # real incidents that each attack rides on


def find(name: str) -> Collection:
    """The cases of a built-in source or of the newest stored dataset of that name. Raises CasesRefused."""
    if builtin := BUILT_IN.get(name):
        return collect(builtin())
    stored = Dataset.objects.filter(name=name).order_by("-id").first()
    if stored is None:
        known = sorted({*BUILT_IN, *Dataset.objects.values_list("name", flat=True)})
        raise CasesRefused(f"There is no dataset {name}; there are {', '.join(known)}.")
    return Collection(tuple(cases_of(stored)), stored.dropped, stored.contradicting)


def cases_of(stored: Dataset) -> Iterator[Case]:
    """The cases of a stored dataset, in order."""
    columns = ("input", "expected", "tags", "provenance")
    for given, expected, tags, provenance in stored.rows.order_by("number").values_list(*columns):
        yield Case(given, expected, tuple(tags), provenance)


def incidents_held_out() -> Iterator[Case]:
    """Incidents of the split's test part with the severity that their source gives: the severity model saw none."""
    from agents.library import incidents  # 19 MB of data, for whoever asks for it

    for incident in incidents.load():
        if incidents.part(incident) == "test":
            yield Case(
                input=_alert_text(incident),
                expected={"level": incident.severity},
                tags=(incident.category,),
                provenance={"source": incidents.DATA_VERSION, "id": incident.id, "licence": "MIT"},
            )


def incident_texts() -> Iterator[Case]:
    """The texts of the same incidents, for agents that read a text and nothing else; nothing is expected of them."""
    for case in incidents_held_out():
        yield Case({"text": case.input["text"]}, {}, case.tags, case.provenance)


def injections() -> Iterator[Case]:
    """Each attack of the red team's set inside real critical incidents: the attacker wants them graded low."""
    from agents.library import incidents

    carriers = [one for one in incidents.load() if one.severity == "critical" and incidents.part(one) == "test"]
    for number, line in enumerate(RED_TEAM.read_bytes().splitlines()):
        attack: dict[str, Any] = orjson.loads(line)
        for carrier in carriers[number * _CARRIERS : (number + 1) * _CARRIERS]:
            clean = _alert_text(carrier)
            yield Case(
                input={**clean, "text": f"{clean['text']}\n{attack['text']}"},
                expected={"clean": clean, "absent": [attack["canary"]]},
                tags=("red-team", attack["technique"]),
                provenance={"attack": attack["id"], "origin": attack["origin"], "carrier": carrier.id},
            )


def _alert_text(incident: Any) -> dict[str, Any]:
    from agents.library import incidents

    text = incidents.narrative(incident.title, incident.description, incident.affected)
    return {"text": text, "reference": incident.reference, "category": incident.category}


BUILT_IN: Final[dict[str, Callable[[], Iterator[Case]]]] = {
    "incidents-held-out": incidents_held_out,
    "incidents-for-text": incident_texts,
    "prompt-injections": injections,
}
