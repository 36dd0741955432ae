"""Clauses of real licences: quotes that stand where they say, risks by use, deviations, and what is not found."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.errors import Business
from agents.library.legal import clauses, contract_agents
from agents.library.legal.clauses import Position
from agents.library.legal.contract_agents import Contract

SAMPLES: list[dict[str, Any]] = [
    json.loads(line)["input"]
    for line in Path("orchestrator/gallery/contract-analysis/inputs.jsonl").read_text().splitlines()
]
APACHE, MOZILLA, PYTHON, LGPL = (sample["text"] for sample in SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["title"])
def test_every_quote_stands_where_it_says(sample: dict[str, Any]) -> None:
    found = clauses.clauses(sample["text"])

    assert found
    assert all(sample["text"][one.start : one.end] == one.quote for one in found)
    assert 0.7 < clauses.recognised(sample["text"], found) <= 1


def test_kinds_are_those_that_a_reader_finds() -> None:
    kinds = {one.kind for one in clauses.clauses(APACHE)}
    law = [one.quote for one in clauses.clauses(PYTHON) if one.kind == "governing law"]

    assert {"grant", "patent", "trademark", "warranty", "liability", "indemnity", "termination"} <= kinds
    assert "governing law" not in kinds
    assert any("Virginia" in quote for quote in law)
    assert any("State of California" in quote for quote in law)


SERVICE = """
SERVICES AGREEMENT

1. This Agreement is made between Northwind Ltd and Contoso GmbH.

2. Term

The term of this Agreement is two years. It renews automatically for one year unless either party ends it in time.

3. Customer pays all fees within 30 days of the invoice; late payment bears interest of 8 %.

4. Each party keeps the other's Confidential Information secret. This clause survives the end of the Agreement.

5. Supplier processes personal data only on documented instructions.

6. Supplier grants availability of 99.5 % per month; below that Customer receives service credits.

7. Neither party may assign this Agreement without the prior written consent of the other.

8. Neither party is responsible for events beyond its reasonable control.

9. Disputes are settled by arbitration in Zurich. Notices must be sent in writing.

10. If a provision is invalid, the others stay in force; this is the entire agreement.

11. During the term Customer buys on an exclusive basis from Supplier.

12. The staff canteen serves vegetarian meals on Tuesdays and Thursdays.
"""


def test_clauses_of_commercial_contracts_are_found_and_rated() -> None:
    found = clauses.clauses(SERVICE)
    kinds = {one.kind for one in found}
    assert kinds >= {"parties", "term", "payment", "confidentiality", "data protection", "service levels", "assignment"}
    assert kinds >= {"events beyond control", "disputes", "notices", "general provisions", "restraint"}
    worse = {one.kind for one in found if clauses.rate(one, "hosted").level != "low"}
    assert worse == {"term", "payment", "confidentiality", "data protection", "restraint"}
    assert not any("canteen" in one.quote for one in found)
    assert 0.8 < clauses.recognised(SERVICE, found) < 1  # headings aside, all but the canteen


@pytest.mark.parametrize(("use", "level"), [("internal", "low"), ("hosted", "medium"), ("distribute", "high")])
def test_disclosure_of_source_weighs_by_use(use: Any, level: str) -> None:
    shared = next(one for one in clauses.clauses(MOZILLA) if one.quote.startswith("All distribution of Covered"))

    assert shared.kind == "disclosure of source"
    assert clauses.rate(shared, use).level == level


def test_a_breach_that_can_be_cured_weighs_less() -> None:
    cured = next(one for one in clauses.clauses(MOZILLA) if one.kind == "termination" and "30 days" in one.quote)
    sudden = next(one for one in clauses.clauses(PYTHON) if one.kind == "termination")

    assert (clauses.rate(cured, "hosted").level, clauses.rate(sudden, "hosted").level) == ("low", "medium")


def test_deviations_are_missing_forbidden_or_worded_otherwise() -> None:
    found = clauses.clauses(PYTHON)
    playbook = [
        Position("cure", "termination", "required", any_of=("30 days",)),
        Position("law", "governing law", "required", none_of=("Commonwealth of\n  Virginia",)),
        Position("conduct", "acceptance", "forbidden"),
        Position("indemnity", "indemnity", "required"),
        Position("warranty", "warranty", "required"),
    ]

    said = {one.position.name: (one.problem, one.clause is not None) for one in clauses.deviations(found, playbook)}

    assert said == {
        "cure": ("none says “30 days”", True),
        "law": ("says “Commonwealth of\n  Virginia”", True),
        "conduct": ("there is a clause on acceptance", True),
        "indemnity": ("there is no clause on indemnity", False),
    }


def test_an_exception_of_the_playbook_leaves_its_clauses_alone() -> None:
    position = Position("indemnity", "indemnity", "forbidden")
    spared = Position("indemnity", "indemnity", "forbidden", unless=("may choose",))

    assert clauses.deviations(clauses.clauses(APACHE), [position])
    assert not clauses.deviations(clauses.clauses(APACHE), [spared])


@pytest.mark.parametrize(
    ("text", "says"),
    [("Too short.", "no contract"), ("Lorem ipsum dolor sit amet. " * 20, "No clause of a known kind")],
)
def test_a_text_that_is_no_contract_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(Business, match=says):
        contract_agents.extract(Contract(title="T", text=text), None)  # type: ignore[arg-type]


def test_a_playbook_of_unknown_kinds_is_refused_instead_of_passed() -> None:
    found = contract_agents.extract(Contract(title="T", text=APACHE), None)  # type: ignore[arg-type]
    given = contract_agents.PlaybookRequest.model_validate(
        {"checked": "T", "clauses": found.model_dump()["clauses"],
         "playbook": [{"name": "x", "kind": "catering", "presence": "required"}]}
    )  # fmt: skip

    with pytest.raises(Business, match="catering"):
        contract_agents.check(given, None)  # type: ignore[arg-type]


def test_hostile_text_of_the_largest_size_is_read_in_time_and_stays_escaped() -> None:
    hostile = "<script>alert(1)</script> [x](http://evil.example) in no event shall anybody be liable, as is.\n\n"
    text = f"{'identify ' * 2000}\n\n{'by using ' * 2000}\n\n{hostile * 600}"[:99_000]
    found = contract_agents.extract(Contract(title="<b>T</b>", text=text), None)  # type: ignore[arg-type]
    risks = contract_agents.assess(
        contract_agents.RatingRequest(title="T", clauses=found.clauses, use="hosted"),
        None,  # type: ignore[arg-type]
    )
    deviations = contract_agents.check(
        contract_agents.PlaybookRequest(checked="T", clauses=found.clauses),
        None,  # type: ignore[arg-type]
    )
    memo = contract_agents.write_memo(
        contract_agents.MemoRequest(
            title="<b>T</b>", use="hosted", extracted=found, risks=risks, deviations=deviations
        ),
        None,  # type: ignore[arg-type]
    )

    assert "<script>" not in memo.markdown
    assert "<b>" not in memo.markdown
    assert "](http" not in memo.markdown
