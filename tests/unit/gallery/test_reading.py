"""What a template must say, and how templates are found."""

import json
from pathlib import Path

import pytest

from orchestrator.gallery import templates
from orchestrator.patterns import plain

FACTS = """
title: A job
summary: One sentence that says what it is for.
domain: legal
patterns: [sequential]
people: []
data: Synthetic, because nothing real is needed here.
offline: true
"""


def written(tmp_path: Path, *, facts: str = FACTS, name: str = "job", samples: int = 3) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "template.yaml").write_text(facts)
    (folder / "workflow.yaml").write_text(f"metadata: {{name: {name}}}\n")
    line = json.dumps({"title": "One case", "input": {"n": 1}})
    (folder / "inputs.jsonl").write_text(f"{line}\n" * samples)
    return folder


def test_template_is_read_with_its_samples(tmp_path: Path) -> None:
    found = templates.read(written(tmp_path))

    assert (found.name, found.facts.domain, len(found.samples)) == ("job", "legal", 3)
    assert (found.samples[0].ends, found.samples[0].input) == ("succeeded", {"n": 1})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"facts": FACTS.replace("legal", "sports")}, "domain"),
        ({"facts": FACTS.replace("offline: true", "offline: false")}, "offline"),
        ({"facts": FACTS.replace("is for.", "is for")}, "summary"),
        ({"facts": FACTS + "surprise: 1\n"}, "surprise"),
        ({"name": "other"}, "give the folder that name"),
        ({"samples": 2}, "give 3 or more"),
    ],
)
def test_template_that_breaks_the_contract_is_named_with_its_problem(tmp_path: Path, change: dict, says: str) -> None:
    with pytest.raises(templates.TemplateInvalid, match=says) as refused:
        templates.read(written(tmp_path, **change))

    assert "template job" in str(refused.value)


def test_every_template_of_a_pattern_is_in_the_gallery() -> None:
    shipped = {template.source for template in templates.every()}

    missing = [
        entry.name for entry in plain.entries() for source in entry.templates if source and source not in shipped
    ]
    assert missing == []


def test_filters_are_all_held_at_once() -> None:
    found = templates.matching(domain="finance", pattern="sequential", text="refund ORDER")

    assert [template.name for template in found] == ["refund-approval"]
    assert templates.matching(domain="legal", pattern="saga") == []
    assert len(templates.matching()) == len(templates.every())
