"""`manage.py rehearse` end to end: real workers with stub agents, faults injected, people played."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from agents.registry import autodiscover, sync
from orchestrator import services
from orchestrator.models import Rehearsal, Run

pytestmark = [
    pytest.mark.xdist_group("bench"),
    pytest.mark.chaos,
    pytest.mark.timeout(120),
    pytest.mark.django_db(transaction=True),
]
ROOT = Path(__file__).resolve().parents[3]


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on this test's database, to its end."""
    here = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "rehearse", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": here},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def test_rehearsal_of_refunds_recovers_from_faults_and_is_kept_beside_its_version():
    autodiscover()
    sync()
    path = ROOT / "orchestrator" / "library" / "refund-approval.yaml"
    version = services.publish(source=path.read_text(), file=path.name, by=None, make_queues=True)

    done = rehearse("refund-approval", "--levels", "2", "--runs", "2", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert [level["runs"] for level in told["levels"]] == [{"succeeded": 2}, {"succeeded": 2}]
    kept = Rehearsal.objects.get(version=version)
    assert kept.passed
    assert kept.report == told
    assert not Run.objects.exists(), "a rehearsal starts no run where people work"


def test_rehearsal_of_an_unknown_workflow_is_refused_in_one_sentence():
    done = rehearse("nothing-like-it")

    assert done.returncode == 1
    assert "nothing-like-it is not a published workflow" in done.stderr
