"""Steps that wait get the answers of a file: each checked like any answer, each by itself, never twice (B103)."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from approvals import access
from approvals.models import Decision, Gate, Queue
from orchestrator.models import Event, Run
from tests import people
from tests.api import as_user
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = """
  - key: look
    type: manual
    queue: desk
    form:
      properties: {finding: {type: string, minLength: 3}, count: {type: integer}, sure: {type: boolean}}
      required: [finding]
  - key: bank
    type: wait_callback
    schema: {type: object, properties: {paid: {type: number, maximum: 100}}, required: [paid]}
"""


@pytest.fixture
def run() -> Run:
    publish(STEPS)
    made = start()
    with shift():
        eventually(lambda: set(statuses(made).values()) == {"waiting"} and Gate.objects.filter(run=made).exists())
    return made


@pytest.fixture
def boss() -> Any:
    """Somebody who may steer runs and decides at the desk."""
    found = people.person("boss", "Workflow Orchestration Manager")
    access.grant(to=found, permission="decide_gates", on=Queue.objects.get_or_create(name="desk")[0], by=None)
    return people.User.objects.get(pk=found.pk)


def sent(by: Any, run: Run, *answers: tuple[str, dict[str, Any]], check: bool = False) -> list[dict[str, Any]]:
    lines = [{"run": run.pk, "step": step, "answer": answer} for step, answer in answers]
    response = as_user(by).post(f"/answers?check={str(check).lower()}", {"reason": "batch 7", "answers": lines})
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()
    return found


def test_manual_work_and_a_call_back_are_done_by_a_file_and_not_twice(run: Run, boss: Any):
    both = (("look", {"finding": "a leak"}), ("bank", {"paid": 5}))
    first = sent(boss, run, *both)
    again = sent(boss, run, *both)

    assert [one["state"] for one in first] == ["done", "done"]
    assert [one["state"] for one in again] == ["refused", "refused"]
    assert finished(run)
    assert (task(run, "look").output, task(run, "bank").output) == ({"finding": "a leak"}, {"paid": 5})
    decision = Decision.objects.get()
    assert (decision.decided_by, decision.via, decision.note) == (boss, "file", "batch 7")
    assert Event.objects.filter(task_id=task(run, "bank").pk, kind="task.succeeded").count() == 1


def test_each_line_is_held_to_its_own_steps_contract_and_keeps_no_other_back(run: Run, boss: Any):
    short, dear, unknown, good = sent(
        boss, run, ("look", {"finding": "x"}), ("bank", {"paid": 101}), ("lock", {}), ("bank", {"paid": 99})
    )

    assert (short["state"], dear["state"], unknown["state"], good["state"]) == ("refused",) * 3 + ("done",)
    assert "finding" in short["message"]
    assert "paid" in dear["message"]
    assert statuses(run) == {"look": "waiting", "bank": "succeeded"}


def test_a_check_says_what_would_be_and_changes_nothing(run: Run, boss: Any):
    before = Event.objects.count()
    fits, wrong = sent(boss, run, ("look", {"finding": "a leak"}), ("bank", {"paid": "much"}), check=True)

    assert (fits["state"], wrong["state"]) == ("fits", "refused")
    assert set(statuses(run).values()) == {"waiting"}
    assert (Event.objects.count() - before, Decision.objects.count()) == (1, 0)  # the token that asked


def test_rights_are_each_steps_own(run: Run, boss: Any):
    desk = people.person("desk", "Reviewer", decides=Queue.objects.get(name="desk"))
    nobody = people.person("auditor", "Auditor")

    work, call = sent(desk, run, ("look", {"finding": "a leak"}), ("bank", {"paid": 1}))
    (again,) = sent(desk, run, ("look", {"finding": "a leak"}))
    refused = as_user(nobody).post(
        "/answers", {"reason": "r", "answers": [{"run": run.pk, "step": "look", "answer": {}}]}
    )

    assert (work["state"], work["run"]) == ("done", None)  # decides at the desk, sees no runs
    assert (call["state"], "no such step" in call["message"]) == ("refused", True)
    assert (again["state"], "it has one" in again["message"]) == ("refused", True)  # what they did is no secret to them
    assert refused.status_code == 403
    assert task(run, "bank").status == "waiting"


def test_who_started_the_run_does_not_do_its_work_by_a_file(run: Run, boss: Any):
    Run.objects.update(started_by=boss)
    Gate.objects.update(requested_by=boss)
    (refused,) = sent(boss, run, ("look", {"finding": "a leak"}))
    assert refused["state"] == "refused"
    assert Event.objects.filter(kind="gate.refused").exists()


def test_file_in_the_browser_is_checked_and_then_given(run: Run, boss: Any):
    client = Client()
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/inbox/answers/")
    assert page.status_code == 200
    table = f"run,step,finding,count,sure,paid\n{run.pk},look,a leak,3,yes,\n{run.pk},bank,,,,12.5\n"

    def post(**more: str) -> str:
        file = SimpleUploadedFile("answers.csv", table.encode())
        return client.post("/inbox/answers/", {"file": file, "reason": "spreadsheet", **more}).content.decode()

    assert "2 fit, 0 are refused; nothing was done." in post(check="1")
    assert "2 given, 0 refused." in post()
    assert task(run, "look").output == {"finding": "a leak", "count": 3, "sure": True}
    assert task(run, "bank").output == {"paid": 12.5}
    assert "0 given, 2 refused." in post()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("run,step\n", "no answer in the file"),
        ("run,step,zeal\n{run},look,1\n", "knows no such field"),
        ("run,step,finding,sure\n{run},look,a leak,perhaps\n", "neither yes nor no"),
    ],
)
def test_what_is_wrong_is_said_on_the_page(run: Run, boss: Any, table: str, words: str):
    client = Client()
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post("/inbox/answers/", {"text": table.format(run=run.pk), "reason": "r"})
    assert words in answer.content.decode()


def test_operator_imports_a_file_as_somebody(run: Run, boss: Any, tmp_path: Path):
    file = tmp_path / "answers.jsonl"
    file.write_text(f'{{"correlation_id": "{run.correlation_id}", "step": "bank", "answer": {{"paid": 1}}}}\n')
    out = StringIO()
    call_command("import_answers", str(file), "--as", "boss", "--reason", "night run", stdout=out)
    assert "line 1: done" in out.getvalue()
    with pytest.raises(CommandError, match="1 of 1 answers are refused"):
        call_command("import_answers", str(file), "--as", "boss", "--reason", "night run", stdout=out)
