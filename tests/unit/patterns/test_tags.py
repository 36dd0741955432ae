"""Tags of the gallery: every use has a template, every template a tag, and counting keeps the uses first."""

import pytest

from orchestrator.definitions.load import load
from orchestrator.patterns import plain, tags


@pytest.mark.parametrize("use", tags.USES)
def test_every_use_is_shown_by_a_template(use):
    assert [entry.name for entry in plain.entries() if use in entry.tags]


@pytest.mark.parametrize(
    ("name", "template"), [(entry.name, template) for entry in plain.entries() for template in entry.templates]
)
def test_tags_of_a_template_are_those_that_publishing_reads(name, template):
    assert tags.of_template(template)
    assert tags.of_template(template) == load(template, file=f"{name}.yaml").tags


def test_counted_names_the_uses_first_and_each_workflow_once():
    found = tags.counted([("security", "pipeline"), ("pipeline", "pipeline"), ("risk-based",), ("alpha",)])

    assert found == [("pipeline", 2), ("risk-based", 1), ("alpha", 1), ("security", 1)]
