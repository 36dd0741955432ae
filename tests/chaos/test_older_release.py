"""A worker of an earlier release, its source out of the repository's history, beside one of this release."""

import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from approvals.models import Gate, Queue
from orchestrator.models import Attempt
from tests.chaos.workers import ROOT, Site, begin, ended, live_shifts
from tests.hands import reviewer, violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]

EARLIER: Final = "b7f7562"  # 28 November 2026: sixteen migrations of the engine's before this one, and no held outputs
STEPS: Final = """
  - {key: first, type: automated, agent: chaos-slow, inputs: {seconds: 0.05}}
  - key: wide
    type: map
    over: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]"
    body: {type: automated, agent: chaos-slow, inputs: {seconds: 0.2}}
  - {key: last, type: automated, agent: chaos-slow, inputs: {seconds: 0.05}}
"""
FEW: Final = {"SHIFT_CAPACITY": "8"}  # tasks at once: one process alone cannot take the eighty of four runs
CHAIN: Final = "dependencies: {wide: [first], last: [wide]}"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The tree of the earlier release."""
    asked = ["git", "-C", str(ROOT), "archive", EARLIER]
    found = subprocess.run(asked, capture_output=True, check=False)
    if found.returncode:
        pytest.skip("the repository's history is not here: nothing older could be run")
    tree = tmp_path / "earlier"
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        archive.extractall(tree, filter="data")
    tmp_path.chmod(0o755)
    return tree


@pytest.fixture
def site(transactional_db: None, folder: Path, settings: Any) -> Iterator[Site]:
    settings.DATA_DIR = folder
    Queue.objects.get_or_create(name="operations", defaults={"title": "Operations"})
    reviewer()
    made = Site(folder)
    yield made
    made.end()


def workers_of(site: Site, *runs: Any) -> set[int]:
    """The worker processes' parents in which agents of these runs have started."""
    return {found["parent"] for run in runs for found in site.started(run)}


def test_worker_of_an_earlier_release_works_beside_todays_and_leaves_it_what_it_cannot_read(
    site: Site, earlier: Path
) -> None:
    site.shifts = 1
    old = site.worker(tree=earlier, **FEW)
    site.until(lambda: live_shifts() == 1, seconds=60, what="the earlier release is at work on this schema")
    alone = begin(STEPS, rest=CHAIN, name="alone")
    site.until(lambda: ended(alone), seconds=30, what="it does a run by itself")

    site.shifts = 2
    new = site.worker(**FEW)
    site.until(lambda: live_shifts() == 2, seconds=60, what="today's is beside it")
    both = [begin(STEPS, rest=CHAIN, name=f"both{number}") for number in range(4)]
    site.until(lambda: all(ended(run) for run in both), seconds=60, what="they share four runs")

    assert [run.status for run in (alone, *both)] == ["succeeded"] * 5
    assert workers_of(site, alone) == {old.pid}
    assert workers_of(site, *both) == {old.pid, new.pid}
    assert not Attempt.objects.exclude(status__in=("succeeded", "suspended")).exists()
    assert not Gate.objects.exists()
    assert violations() == []
