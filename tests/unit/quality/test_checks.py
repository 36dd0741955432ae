"""Planted faults, one for each thing that a check claims to find, beside the same output without the fault."""

from typing import Any

import pytest

from agents.quality import accuracy, completeness, consistency, formats
from agents.quality.assessing import Material, assess
from agents.quality.texts import Quantity, quantities, statement
from agents.quality.types import Claim, QualitySpec

SOURCE = (
    "The breach at Meridian Freight began on 3 March 2026. "
    "Attackers used a leaked token to read 1,240 shipment records. "
    "Payment data was not exposed. The company reset every token within four hours and told the regulator."
)
SOURCES = {"report": SOURCE}


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, "TODO", "n/a", "TBD.", "[insert summary here]"])
def test_completeness_of_nothing_names_the_element(value: Any) -> None:
    found = completeness.check(
        QualitySpec(required=("title", "plan.summary")), {"title": "Yes", "plan": {"summary": value}}, weight=1
    )

    assert not found.passed
    assert found.score == 0.5
    assert [finding.path for finding in found.findings] == ["plan.summary"]


def test_completeness_of_a_heading_without_words_names_the_section() -> None:
    text = "# Summary\nIt happened.\n\n## Risks\n\n## Next steps\nRotate tokens."
    spec = QualitySpec(sections=("Summary", "Risks", "Next steps", "Costs"), text="body")

    found = completeness.check(spec, {"body": text}, weight=1)

    assert [finding.message for finding in found.findings] == [
        'Section "Risks" is missing or has nothing under it.',
        'Section "Costs" is missing or has nothing under it.',
    ]


def test_completeness_of_everything_passes() -> None:
    spec = QualitySpec(required=("level", "zero"), sections=("Summary",), text="body")

    assert completeness.check(spec, {"level": "low", "zero": 0, "body": "Summary:\nFine."}, weight=1).score == 1


def test_format_points_at_the_field_that_breaks_the_schema() -> None:
    schema: dict[str, Any] = {"properties": {"items": {"items": {"properties": {"n": {"type": "integer"}}}}}}

    found = formats.check(QualitySpec(schema=schema), {"items": [{"n": 1}, {"n": "two"}]}, weight=1)

    assert [finding.path for finding in found.findings] == ["/items/1/n"]
    assert found.score < 1


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2026-11-28", "28.11.2026"),
        ("datetime", "2026-11-28T10:00:00Z", "2026-11-28T10:00:00"),
        ("email", "ana@example.org", "ana@example"),
        ("url", "https://example.org/a", "javascript:alert(1)"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("cve", "CVE-2026-12345", "CVE-26-1"),
        ("currency", "USD 12.50", "$12.5"),
        ("one_line", "one", "one\ntwo"),
    ],
)
def test_format_by_name(name: str, right: str, wrong: str) -> None:
    spec = QualitySpec(formats={"value": name})

    assert formats.check(spec, {"value": right}, weight=1).passed
    assert not formats.check(spec, {"value": wrong}, weight=1).passed
    assert not formats.check(spec, {"value": [right, wrong]}, weight=1).passed


@pytest.mark.parametrize(
    ("claim", "source", "quote", "status"),
    [
        ("Attackers read 1,240 shipment records with a leaked token.", "report", "", "verified"),
        ("Attackers read 1240 records.", "report, page 2", "token to read 1,240  shipment records", "verified"),
        ("Attackers read 9,000 shipment records with a leaked token.", "report", "", "unsupported"),
        ("The breach at Meridian Freight began on 3 May 2026.", "report", "", "unsupported"),
        ("Payment data was exposed.", "report", "", "unsupported"),
        ("The chief executive resigned over it.", "report", "", "unsupported"),
        ("Attackers used a leaked token.", "report", "attackers bought a token", "unsupported"),
        ("The company was fined.", "report", "told the regulator", "unsupported"),
        ("Attackers used a leaked token.", "Smith et al. 2024", "", "fabricated"),
        ("Attackers used a leaked token.", "", "", "unsourced"),
    ],
    ids=[
        "words", "quote", "figure", "date", "denial", "invented", "false-quote", "quote-beside-the-point",
        "no-such-source", "no-source",
    ],
)  # fmt: skip
def test_accuracy_judges_each_claim(claim: str, source: str, quote: str, status: str) -> None:
    assert accuracy.judge(Claim(claim, source, "", quote), SOURCES).status == status


def test_accuracy_shows_the_span_that_supports_a_claim() -> None:
    judged = accuracy.judge(Claim("Payment data was not exposed.", "report", ""), SOURCES)

    assert judged.start is not None
    assert SOURCE[judged.start : judged.end] == "Payment data was not exposed."


def test_accuracy_holds_a_quote_to_the_place_it_states() -> None:
    quote = "Payment data was not exposed."
    at = SOURCE.index(quote)

    right = Claim(quote, f"report, characters {at}-{at + len(quote)}", "", quote)
    moved = Claim(quote, f"report, characters {at + 3}-{at + 3 + len(quote)}", "", quote)

    assert accuracy.judge(right, SOURCES).status == "verified"
    assert accuracy.judge(moved, SOURCES).status == "unsupported"


def test_accuracy_reads_marks_in_running_text() -> None:
    text = "Attackers used a leaked token [report]. They were paid by a rival [Smith 2024]. Nobody was hurt."
    spec = QualitySpec(claims="body")

    found = accuracy.check(spec, {"body": text}, SOURCES, weight=1)

    assert [claim.status for claim in found.claims] == ["verified", "fabricated", "unsourced"]
    assert found.score == pytest.approx(1 / 3)


def test_accuracy_without_a_claim_is_not_accurate() -> None:
    found = accuracy.check(QualitySpec(claims="evidence"), {"evidence": []}, SOURCES, weight=1)

    assert (found.passed, found.score) == (False, 0.0)


def test_documents_are_sources_by_the_names_they_bear() -> None:
    given = {"documents": [{"id": "doc-7", "title": "Audit", "text": SOURCE}], "question": "What happened?"}

    sources = accuracy.sources_of(given)

    assert accuracy.find_source("doc-7", sources) == accuracy.find_source("Audit, p. 4", sources)
    assert accuracy.find_source("documents[0].text", sources) == SOURCE
    assert accuracy.find_source("doc-70", sources) is None


def test_document_cannot_take_the_name_of_another_source() -> None:
    sources = accuracy.sources_of({"text": SOURCE, "documents": [{"id": "text", "body": "Anything you like."}]})

    assert sources["text"] == SOURCE


EARLIER = {
    "finding": {
        "level": "high",
        "due": "2026-03-01",
        "amount": 1200.0,
        "notified": True,
        "text": "The attack exposed 1,240 customer records. The regulator was informed on 4 March 2026. "
        "Payment systems were isolated from the warehouse network. The overall risk to suppliers is high.",
    }
}


@pytest.mark.parametrize(
    ("output", "how"),
    [
        ({"amount": 1300.0}, "figure"),
        ({"due": "2026-04-01"}, "date"),
        ({"level": "low"}, "kind"),
        ({"notified": False}, "yes and no"),
        ({"summary": "In all, 9,800 customer records were exposed by the attack."}, "figure"),
        ({"summary": "On 9 March 2026 the regulator was informed."}, "date"),
        ({"summary": "The overall risk to suppliers is low."}, "kind"),
        ({"summary": "Payment systems were not isolated from the warehouse network."}, "denial"),
    ],
)
def test_consistency_finds_a_planted_contradiction(output: dict[str, Any], how: str) -> None:
    found = consistency.check(QualitySpec(), output, EARLIER, weight=1)

    assert [finding.message.partition(":")[0] for finding in found.findings] == [how]
    assert found.score == 0.5
    assert found.findings[0].source == "finding"
    assert found.findings[0].other


@pytest.mark.parametrize(
    "output",
    [
        {"amount": 1201.0, "level": "HIGH", "due": "2026-03-01T09:00:00Z"},
        {"confidence": 0.2, "score": 3, "title": "Other"},
        {"summary": "The attack exposed 1,240 customer records, and 12 machines were rebuilt."},
        {"summary": "A second attack on a bakery exposed 9,800 recipes."},
        {"summary": "The regulator was informed on 4 March 2026."},
    ],
    ids=["rounding", "own-values", "more", "other-thing", "same"],
)
def test_consistency_leaves_what_agrees_alone(output: dict[str, Any]) -> None:
    assert consistency.check(QualitySpec(), output, EARLIER, weight=1).findings == ()


def test_consistency_holds_named_facts_to_the_letter() -> None:
    output, earlier = {"customer": "Meridian"}, {"intake": {"customer": "Northwind"}}

    assert consistency.check(QualitySpec(), output, earlier, weight=1).passed
    assert not consistency.check(QualitySpec(facts=("customer",)), output, earlier, weight=1).passed


def test_what_the_method_cannot_find_is_as_its_words_say() -> None:
    earlier = {"first": "The server survived the night."}

    assert consistency.check(QualitySpec(), {"text": "All machines were lost by morning."}, earlier, weight=1).passed


def test_figures_are_multiplied_out_and_keep_their_units() -> None:
    assert quantities("4.2 million hosts, $1,500, 12 % and three analysts") == [
        Quantity(4.2e6, "host"), Quantity(1500.0, "$"), Quantity(12.0, "%"), Quantity(3.0, "analyst"),
    ]  # fmt: skip
    assert statement("It was not closed on March 3, 2026.").denied


def test_score_is_the_weighted_mean_and_says_why_an_output_is_held() -> None:
    spec = QualitySpec(
        checks=("completeness", "accuracy"), required=("level", "owner"), claims="evidence", minimum=60,
        weights={"completeness": 1, "accuracy": 3},
    )  # fmt: skip
    output = {"level": "high", "evidence": [{"claim": "Payment data was not exposed.", "source": "nowhere"}]}

    report = assess(spec, output, Material(sources=SOURCES))

    assert report.score == 12.5  # (1 x 0.5 + 3 x 0) / 4
    assert report.reasons == ("score 12.5 is below the minimum of 60",)


def test_minimum_is_reached_at_exactly_the_minimum() -> None:
    spec = QualitySpec(checks=("completeness",), required=("a", "b"), minimum=50)

    assert assess(spec, {"a": 1}, Material()).passed
    assert not assess(spec, {}, Material()).passed


def test_zero_tolerance_holds_what_the_score_would_let_pass() -> None:
    claims = [{"claim": "Payment data was not exposed.", "source": name} for name in ("report", "report", "nowhere")]
    lenient = QualitySpec(checks=("accuracy",), claims="evidence", minimum=50)
    strict = QualitySpec(checks=("accuracy",), claims="evidence", minimum=50, zero_tolerance=True)

    assert assess(lenient, {"evidence": claims}, Material(sources=SOURCES)).passed
    report = assess(strict, {"evidence": claims}, Material(sources=SOURCES))
    assert report.reasons == ("accuracy: fabricated: names a source that the step was not given",)
