"""Techniques by similarity."""

import pytest

from agents.library.attack import index


def test_match_on_a_techniques_own_words_finds_it_first() -> None:
    every = index().techniques[::40]
    found = [
        index().match(f"{technique.name}. {technique.description}", limit=1)[0].technique.name for technique in every
    ]

    assert sum(name == technique.name for name, technique in zip(found, every, strict=True)) / len(every) > 0.95


@pytest.mark.parametrize(
    ("text", "technique"),
    [
        ("Stored XSS in the admin page of a public web application", "T1190"),
        ("SSRF lets an attacker read the cloud metadata service", "T1552.005"),
        ("Employees received spearphishing emails with a malicious attachment", "T1566.001"),
        (
            "A malicious package was published to the npm registry, a supply chain compromise of dependencies",
            "T1195.001",
        ),
    ],
)
def test_match_on_an_incident_finds_the_expected_technique(text: str, technique: str) -> None:
    assert technique in [match.technique.id for match in index().match(text, limit=5)]


def test_match_on_unrelated_text_finds_nothing() -> None:
    assert index().match("The choir rehearsed on Tuesday evening.", limit=5) == []


def test_match_scores_are_cosines_in_order_with_shared_words() -> None:
    found = index().match("Remote code execution through deserialization of untrusted data in a web server", limit=5)

    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
    assert all(0.2 <= match.score <= 1.0 and len(match.shared) > 1 for match in found)
    assert index().mitigations["T1190"]
