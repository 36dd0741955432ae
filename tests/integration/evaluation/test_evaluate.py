"""`manage.py evaluate` and what it leaves behind: real data, real agents, evidence that cannot be changed."""

import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from agents.evaluation import comparing, evidence, running, sources, suites
from agents.evaluation.cases import CasesRefused
from agents.library import severity
from agents.models import Evaluation, EvaluationCase, EvaluationItem
from agents.registry import agent
from orchestrator.models import Event
from tests.engine import OPEN

pytestmark = pytest.mark.django_db

SUITE = """
name: toy
title: Toy
kind: functional
agent: test-redoubler
dataset: toy
measures: {right: {of: match, path: double}, contract: {of: succeeded}}
passes: [right]
thresholds: {right: {at_least: 0.75}}
"""


@agent("test-redoubler", title="Doubler", input=OPEN, output=OPEN)
async def doubler(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Wrong about 3."""
    return {"double": 7 if given["n"] == 3 else 2 * given["n"]}


@agent("test-redoubler", version=2, title="Doubler", input=OPEN, output=OPEN)
async def doubler_two(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Wrong about all but 0."""
    return {"double": 0}


@pytest.fixture
def suite(tmp_path: Path) -> str:
    lines = [json.dumps({"input": {"n": n}, "expected": {"double": 2 * n}}) for n in range(8)]
    (tmp_path / "toy.jsonl").write_text("\n".join([*lines, lines[0]]))
    call_command("dataset", "import", "toy", file=tmp_path / "toy.jsonl", agent="test-redoubler", stdout=StringIO())
    (tmp_path / "toy.yaml").write_text(SUITE)
    return str(tmp_path / "toy.yaml")


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("evaluate", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_severity_agents_accuracy_on_unseen_incidents_is_that_of_its_model_card() -> None:
    found = run("severity-accuracy")

    held_out = severity.card()["held_out"]
    assert isinstance(held_out, dict)
    assert found["cases"] == held_out["incidents"] - _repeated()
    assert found["measures"]["accuracy"] == pytest.approx(held_out["accuracy"], abs=0.01)
    assert found["measures"]["contract"] == 1.0
    assert found["passed"]


def _repeated() -> int:
    return len(list(sources.incidents_held_out())) - len(sources.find("incidents-held-out").cases)


def test_red_team_set_is_run_with_and_without_each_attack() -> None:
    with contextlib.suppress(CommandError):  # whether it passes is the model's affair
        run("severity-injection")

    found = Evaluation.objects.get()
    assert (found.kind, found.cases) == ("safety", 72)
    assert found.measures["no_canary"] is not None
    assert 0 < found.measures["unchanged"] <= 1
    assert EvaluationItem.objects.exists() is not found.passed


def test_evaluation_is_kept_with_everything_that_makes_it_evidence(suite: str) -> None:
    found = run(suite, "--version", "1")

    assert (found["cases"], found["passed"]) == (8, True)
    assert found["measures"] == {"right": 0.875, "contract": 1.0}
    made = Evaluation.objects.get(pk=found["evaluation"])
    assert (made.agent, made.agent_version, len(made.agent_digest)) == ("test-redoubler", 1, 64)
    assert len(made.dataset_digest) == len(made.suite_digest) == 64
    wrong = made.rows.get(passed=False)
    assert (wrong.input, wrong.output, wrong.expected) == ({"n": 3}, {"double": 7}, {"double": 6})
    assert Event.objects.filter(kind="evaluation.finished", data__evaluation=made.pk).count() == 1


def test_missed_threshold_is_exit_code_1_and_opens_one_item(suite: str) -> None:
    for _ in range(2):
        with pytest.raises(CommandError) as caught:
            run(suite, "--version", "2")
        assert caught.value.returncode == 1

    item = EvaluationItem.objects.get()
    assert (item.suite, item.agent, item.evaluation.measures["right"]) == ("toy", "test-redoubler", 0.125)


@pytest.mark.parametrize("arguments", [["nothing"], ["severity-accuracy", "--agent", "nobody"], []])
def test_what_cannot_be_run_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("evaluate", *arguments, stdout=StringIO())

    assert caught.value.returncode == 2


def test_comparison_pairs_the_cases_of_two_versions(suite: str) -> None:
    first = run(suite, "--version", "1")["evaluation"]
    with pytest.raises(CommandError):
        run(suite, "--version", "2")
    second = Evaluation.objects.order_by("-id")[0]

    found = comparing.compare(Evaluation.objects.get(pk=first), second)

    assert (found.pairs.won, found.pairs.lost, found.pairs.tied) == (0, 6, 2)
    assert found.pairs.verdict == "worse"
    assert {row.input["n"] for row in found.lost} == {1, 2, 4, 5, 6, 7}


@pytest.mark.parametrize("model", [Evaluation, EvaluationCase])
def test_database_refuses_to_change_evidence(suite: str, model: Any) -> None:
    run(suite, "--version", "1")

    with pytest.raises(DatabaseError, match="is refused"), transaction.atomic():
        model.objects.update(passed=False)
    with pytest.raises(DatabaseError, match="is refused"), transaction.atomic():
        model.objects.all()._raw_delete("default")


def test_promotion_asks_for_passed_evidence_newer_than_the_change(suite: str) -> None:
    before, subject = timezone.now(), "agent:test-redoubler@1"
    kinds = ("functional",)

    assert "There is no functional evaluation" in evidence.missing(subject, newer_than=before, kinds=kinds)[0]

    run(suite, "--version", "1")

    assert evidence.missing(subject, newer_than=before, kinds=kinds) == []
    assert (
        "older than the change" in evidence.missing(subject, newer_than=timezone.now() + timedelta(1), kinds=kinds)[0]
    )
    assert evidence.latest("agent:test-redoubler@2", "functional") is None
    with pytest.raises(CommandError):
        run(suite, "--version", "2")
    assert "missed its thresholds" in evidence.missing("agent:test-redoubler@2", newer_than=before, kinds=kinds)[0]


def test_schedule_runs_each_due_suite_once() -> None:
    for _ in range(2):
        call_command("evaluate", "--scheduled", "monthly", stdout=StringIO())

    assert [(found.suite, found.trigger) for found in Evaluation.objects.all()] == [("severity-injection", "monthly")]


def test_suite_that_cannot_be_run_keeps_none_of_the_others_from_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate, asked = running.evaluate, []

    def first_refused(suite: Any, **more: Any) -> Any:
        asked.append(suite.name)
        if len(asked) == 1:
            raise CasesRefused("its data is not installed here")
        return evaluate(suite, **more, limit=2)

    monkeypatch.setattr(running, "evaluate", first_refused)
    every = suites.find
    monkeypatch.setattr(suites, "find", lambda name: replace(every(name), schedule="monthly"))
    with pytest.raises(CommandError, match="Could not be run: ") as refused:
        call_command("evaluate", "--scheduled", "monthly", stdout=StringIO(), stderr=StringIO())

    assert refused.value.returncode == 2
    assert len(asked) == len(suites.names())
    assert {found.suite for found in Evaluation.objects.all()} == set(asked[1:])


def test_dataset_that_was_imported_is_exported_as_it_was(suite: str, tmp_path: Path) -> None:
    call_command("dataset", "export", "toy", file=tmp_path / "out.jsonl")

    assert [json.loads(line)["input"]["n"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == list(
        range(8)
    )
