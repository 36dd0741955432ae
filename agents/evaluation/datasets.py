"""Datasets of this site: made of people's decisions, or taken from a file; never changed, only followed by another."""

from typing import Final

from django.db import transaction

from agents.evaluation.cases import Case, CasesRefused, Collection, collect, personal_data
from agents.evaluation.sources import BUILT_IN
from agents.models import Dataset, DatasetCase
from agents.quality.outcomes import decisions
from agents.types import Json

MOST_DECISIONS: Final = 5_000


def from_decisions(agent: str) -> Collection:
    """Cases from what people decided about an agent's outputs: approved outputs and corrections with what is right.

    A rejection without a correction says what is wrong, not what is right: its case expects `not` that output.
    """
    return collect(
        Case(
            judged.input,
            judged.expected if judged.expected is not None else {"not": judged.output},
            ("decision", judged.verdict),
            {**judged.provenance, "agent": agent, "agent_version": judged.agent_version},
        )
        for judged in decisions().judged(agent, limit=MOST_DECISIONS)
    )


@transaction.atomic
def keep(name: str, found: Collection, *, agent: str, by: str, provenance: dict[str, Json]) -> Dataset:
    """Store a collection; the same cases under the same name are the dataset that is there. Raises CasesRefused."""
    if name in BUILT_IN:
        raise CasesRefused(f"{name} comes with the product; choose another name.")
    if not found.cases:
        raise CasesRefused("There is no case to keep.")
    known = Dataset.objects.filter(name=name, digest=found.digest).first()
    if known is not None:
        return known
    made = Dataset.objects.create(
        name=name, digest=found.digest, agent=agent, cases=len(found.cases), dropped=found.dropped,
        contradicting=found.contradicting, provenance=provenance, personal=personal_data(found.cases), created_by=by,
    )  # fmt: skip
    DatasetCase.objects.bulk_create(
        [
            DatasetCase(
                dataset=made, number=number, digest=case.digest, input=case.input, expected=case.expected,
                tags=list(case.tags), provenance=case.provenance,
            )
            for number, case in enumerate(found.cases, start=1)
        ],
        batch_size=500,
    )  # fmt: skip
    return made
