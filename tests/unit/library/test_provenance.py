"""A published article ends with where each of its sentences is from."""

from typing import Any

from agents.library import content_agents
from agents.library.content_agents import PublishInput
from agents.library.incident_contracts import Evidence

CONTEXT: Any = None


def test_appendix_names_the_place_of_each_sentence_and_what_an_editor_wrote() -> None:
    said = "The bridge is closed. It opens in May. We think that is late."
    claims = ("The bridge is closed.", "It opens in May.")
    evidence = [
        Evidence(claim=text, source=f"Lee 4, characters {at}-{at + 9}", quote=text, status="verified")
        for at, text in enumerate(claims)
    ]
    given = PublishInput(headline="Bridge closed", brief=said, source="Lee 4", evidence=evidence)

    appendix = content_agents.publish(given, CONTEXT).markdown.partition("## Provenance")[2]

    assert "“The bridge is closed.”: Lee 4, characters 0-9 (verified)" in appendix
    assert "“It opens in May.”: Lee 4, characters 1-10 (verified)" in appendix
    assert "“We think that is late.”: not in the source word for word: an editor's words" in appendix
