"""Which framework ids the file gives most incidents of a category: the basis of inferred ids."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from agents.library.incidents import Incident, part

_SHARE = 0.5  # an id is inferred if at least this share of a category's incidents carry it
_FEWEST = 10  # incidents a category must have


def category_map(incidents: Iterable[Incident]) -> dict[str, dict[str, object]]:
    """For each category: how many training incidents, and of how many each frequent id was reported."""
    totals: Counter[str] = Counter()
    ids: dict[str, Counter[str]] = defaultdict(Counter)
    for incident in incidents:
        if part(incident) == "train" and incident.category != "other":
            totals[incident.category] += 1
            ids[incident.category].update((*incident.owasp_llm, *incident.nist_ai_rmf))
    return {
        category: {
            "incidents": total,
            "ids": {id_: count for id_, count in sorted(ids[category].items()) if count >= _SHARE * total},
        }
        for category, total in sorted(totals.items())
        if total >= _FEWEST
    }
