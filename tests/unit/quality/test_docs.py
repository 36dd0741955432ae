"""The examples of docs/quality.md and docs/evaluation.md are ones that the product takes."""

import re
from pathlib import Path

import yaml

from agents.evaluation import measures, suites
from orchestrator.definitions.fields import QUALITY

DOCS = Path(__file__).parents[3] / "docs"


def examples(name: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


def test_quality_example_names_only_fields_that_there_are() -> None:
    (step,) = yaml.safe_load(examples("quality.md")[0])

    assert set(step["quality"]) <= set(QUALITY)


def test_suite_example_can_be_read() -> None:
    suite = suites.read(examples("evaluation.md")[0].encode())

    assert suite.thresholds["accuracy"].at_least == 0.5


def test_every_measure_is_named_where_people_look() -> None:
    told = (DOCS / "evaluation.md").read_text()

    assert all(re.search(rf"\b{name}\b", told) for name in measures.NAMES)
    assert all(f"| {name} |" in (measures.__doc__ or "") or name in (measures.__doc__ or "") for name in measures.NAMES)
