"""`manage.py rehearse` end to end: real workers with stub agents, faults injected, people played."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from agents.registry import autodiscover, sync
from config.rehearsal.faults import drills
from orchestrator import services
from orchestrator.engine.plans import plan_of
from orchestrator.gallery import templates
from orchestrator.models import Rehearsal, Run
from tests.conftest import PREPARED

pytestmark = [
    pytest.mark.xdist_group("bench"),
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
ROOT = Path(__file__).resolve().parents[3]


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on this test's database, to its end."""
    here = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "rehearse", *arguments, "--schema", os.environ.get(PREPARED, "")],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": here},
        capture_output=True,
        text=True,
        check=False,
        timeout=290,
    )


def refusal(*arguments: str) -> str:
    """What the command says and ends with 1: nothing was started, so it is asked in this process."""
    with pytest.raises(CommandError) as refused:
        call_command("rehearse", *arguments)
    assert refused.value.returncode == 1
    return str(refused.value)


def test_rehearsal_of_refunds_overcomes_every_kind_of_fault_and_is_kept_beside_its_version():
    """Every level: its fallback stands in while an agent is out of service, and answers as that one would."""
    autodiscover()
    sync()
    path = ROOT / "orchestrator" / "library" / "refund-approval.yaml"
    version = services.publish(source=path.read_text(), file=path.name, by=None, make_queues=True)

    done = rehearse("refund-approval", "--runs", "4", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert [level["runs"] for level in told["levels"]] == [{"succeeded": 4}] * (len(drills()) + 1)
    assert told["levels"][-1]["name"] == "outage of refund-checker"
    assert told["recovered_share"] >= 0.95
    kept = Rehearsal.objects.get(version=version)
    assert kept.passed
    assert kept.report == told
    assert not Run.objects.exists(), "a rehearsal starts no run where people work"


def test_every_template_that_is_shipped_overcomes_faults_by_itself():
    """B106, A107: at least 95 % of the faults that hit a third of all calls, over every workflow there is."""
    told = json.loads(rehearse("--gallery", "--levels", "7", "--runs", "1", "--json").stdout)

    levels = [level for one in told["workflows"] for level in one["levels"]]
    assert {one["workflow"] for one in told["workflows"]} == {one.name for one in templates.every()}
    assert {ended for level in levels for ended in level["runs"]} <= {"succeeded", "partial"}
    assert told["injected"] > 100
    assert told["recovered_share"] >= 0.95


def test_rehearsal_needs_a_workflow_or_the_gallery():
    for arguments in ((), ("refund-approval", "--gallery")):
        assert refusal(*arguments) == "Name one published workflow, or say --gallery."


def test_rehearsal_plays_the_world_too_and_knows_the_workflows_that_are_started():
    """A timer of ninety days, a signal, a call back, work for people, two who must agree, and a run in a run.

    Their ids here are each other's where they are rehearsed.
    """
    autodiscover()
    sync()
    number_next(2)
    publish("inner", "- {key: wait, type: timer, duration: 90d}")
    number_next(1)
    publish(
        "outer",
        """
- {key: heard, type: wait_event, event: paid, schema: {type: object, required: [n], properties: {n: {type: integer}}}}
- {key: form, type: manual, queue: desk, form: {type: object, required: [ok], properties: {ok: {type: boolean}}}}
- {key: child, type: subworkflow, workflow: inner}
- {key: note, type: automated, agent: sample-note, inputs: {n: "${steps.heard.data.n}"},
   gate: {when: "true", queue: desk, title: Both, approvals: 2, two_keys: true, checklist: [seen]}}
""",
        "dependencies: {form: [heard], child: [form], note: [child]}",
    )

    done = rehearse("outer", "--levels", "1", "--runs", "1", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["levels"][0]["runs"] == {"succeeded": 1}


@pytest.fixture(autouse=True)
def _numbers_go_on(transactional_db: None) -> Iterator[None]:
    """Processes keep plans by their version's id: none is given twice."""
    plan_of.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('orchestrator_workflowversion_id_seq')")
        (last,) = cursor.fetchone()
    yield
    plan_of.cache_clear()
    number_next(last + 100)


def number_next(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('orchestrator_workflowversion_id_seq', %s, false)", [number])


def publish(name: str, steps: str, rest: str = "") -> None:
    source = f"metadata: {{name: {name}, title: {name}}}\nsteps:\n{steps}\n{rest}"
    services.publish(source=source, file="t.yaml", by=None, make_queues=True)


def test_rehearsal_of_an_unknown_workflow_is_refused_in_one_sentence():
    assert "nothing-like-it is not a published workflow" in refusal("nothing-like-it")
