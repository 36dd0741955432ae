"""The report: ids with their basis, every statement with its source, hostile text harmless."""

from markdown_it import MarkdownIt

from agents.library.compliance import Claim, Facts, claims, escape, framework_mappings, report


def test_mappings_reported_by_the_source_are_not_mixed_with_inferred_ones() -> None:
    found = framework_mappings("text", category="rce", reported=["LLM02"], reference="https://example.org")

    by_basis = {mapping.id: mapping.basis for mapping in found}
    assert by_basis["LLM02"] == "reported"
    assert "LLM04" not in by_basis  # OWASP is covered by the source; only NIST is inferred
    assert {basis for id_, basis in by_basis.items() if not id_.startswith("LLM")} == {"inferred"}


def test_mappings_of_a_text_that_names_an_id_say_where() -> None:
    found = framework_mappings("This is LLM01.", category="other", reported=[], reference="")

    assert [(mapping.id, mapping.basis, mapping.reason) for mapping in found] == [
        ("LLM01", "named", "named in the text at characters 8-13")
    ]


def test_mappings_of_an_unknown_category_infer_nothing() -> None:
    assert framework_mappings("text", category="other", reported=[], reference="") == []


def test_report_of_hostile_text_has_no_markup_or_link_of_its_making() -> None:
    hostile = (
        "<script>x</script> [click](http://evil.example) | **bold** `code` # h\n# not a heading "
        "http://auto.example www.a.example"
    )
    facts = Facts(
        "INC-1",
        hostile,
        "",
        hostile,
        "routine",
        Claim(hostile, hostile, hostile),
        summary=(Claim(hostile, hostile, hostile),),
    )

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(report(facts))

    assert "<script" not in html
    assert "<a " not in html
    assert "<strong>" not in html
    assert html.count("<h1>") == 1
    assert escape("a\nb") == "a b"


def test_report_lists_every_claim_with_a_source() -> None:
    facts = Facts(
        "INC-1", "T", "2026", "ref", "urgent", Claim("high", "model"), note=Claim("told the customer", "analyst")
    )

    assert all(claim.source for claim in claims(facts))
    assert report(facts).count("| 1 | high | model |") == 1
    assert "told the customer" in report(facts)
