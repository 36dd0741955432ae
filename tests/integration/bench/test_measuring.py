"""A workload that cannot be measured costs none of the others its figures."""

import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from config.bench import measure, plan, server
from config.bench.stack import TookTooLong
from config.management.commands import bench


class Unneeded(server.Server):
    """No workload here asks for a database."""

    def start(self) -> None: ...

    def stop(self) -> None:
        shutil.rmtree(self.folder)


def works(_bench: plan.Bench) -> measure.Result:
    return measure.Result(workload="works", parameters={}, seconds=1.0, figures={"ms": 1.0}, basis_ms=1.0)


def hangs(_bench: plan.Bench) -> measure.Result:
    raise TookTooLong("nothing happened for 60 s.")


def test_workload_that_hangs_is_named_and_the_next_one_measured(monkeypatch, capsys):
    monkeypatch.setattr(bench, "Server", Unneeded)
    monkeypatch.setattr(bench, "_WORKLOADS", {"hangs": (hangs,), "works": (works,)})

    with pytest.raises(CommandError, match=r"hangs was not measured: nothing happened for 60 s\."):
        call_command("bench", "all", "--json")

    assert json.loads(capsys.readouterr().out)["workload"] == "works"
