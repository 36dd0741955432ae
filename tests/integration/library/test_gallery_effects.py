"""Side effects of the gallery: one order for each run, undone with it, and a run for each window that comes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from agents import registry
from agents.errors import Business
from agents.library.registers import FileRegister
from approvals import demo
from approvals.models import Gate
from approvals.services import decide
from orchestrator import groups, services, signals
from orchestrator.gallery import templates
from orchestrator.gallery.templates import Template
from orchestrator.models import Run, Signal, Workflow
from tests.engine import eventually, finished, shift
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _agents(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    registry.autodiscover()
    registry.sync()
    demo.seed_queues()


def published(name: str, *, and_then: str = "") -> Template:
    """A template, published; `and_then` is one more step, that follows all others."""
    template = templates.find(name)
    assert template is not None
    source = template.source
    if and_then:
        last = "log" if name == "iot-maintenance" else "amend"
        step = f"\n  - key: after\n    type: automated\n    agent: {and_then}\n    inputs: {{}}\n"
        source = source.replace("\ndependencies:\n", f"{step}\ndependencies:\n  after: [{last}]\n", 1)
    services.publish(source=source, file=template.file, by=None, make_queues=True)
    return template


def started(template: Template, number: int) -> Run:
    return services.start_run(workflow=template.name, input=dict(template.samples[number].input), by=None, actor="feed")


def approve_all(run: Run, ana: Any) -> bool:
    for gate in Gate.objects.filter(run=run, status="open", kind="approval"):
        decide(gate_id=gate.pk, gate_version=gate.version, verdict="approve", by=ana, note="as agreed")
    return finished(run)


@pytest.mark.parametrize(
    ("name", "number", "folder", "prefix"),
    [("iot-maintenance", 1, "maintenance-orders", "WO"), ("loan-modification", 1, "loan-amendments", "LM")],
)
@pytest.mark.parametrize("fails", [False, True], ids=["kept", "undone"])
def test_what_was_entered_once_is_withdrawn_when_the_run_fails_later(
    name: str, number: int, folder: str, prefix: str, fails: bool, tmp_path: Path
) -> None:
    refusing()
    template = published(name, and_then="test-refuses" if fails else "")
    ana = reviewer()
    run = started(template, number)
    register = FileRegister(tmp_path / folder, prefix)
    with shift():  # an undone run ends when somebody has read the notice of it
        eventually(lambda: approve_all(run, ana) or any(entry.withdrawn for entry in register.entries()), seconds=40)

    assert run.status == ("compensating" if fails else "succeeded"), run.error
    assert [bool(entry.withdrawn) for entry in register.entries()] == [fails]


def refusing() -> None:
    if registry.find("test-refuses") is None:

        @registry.agent("test-refuses", input={"type": "object"}, output={"type": "object"})
        def refuse(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
            raise Business("The world says no.", code="no")

    registry.sync()


def test_nothing_is_ordered_before_a_person_has_said_so(tmp_path: Path) -> None:
    run = started(published("iot-maintenance"), 0)
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())

    assert FileRegister(tmp_path / "maintenance-orders", "WO").entries() == []


def test_loan_is_never_refused_without_a_person() -> None:
    template = published("loan-modification")
    runs = [started(template, number) for number in (3, 4)]
    with shift():
        eventually(lambda: all(Gate.objects.filter(run=run, status="open").exists() for run in runs))

    titles = {Gate.objects.get(run=run, status="open").title for run in runs}
    assert titles == {"Refuse to modify loan SYN-1004?", "Refuse to modify loan SYN-1005?"}


def test_a_window_of_readings_that_comes_as_a_signal_starts_its_run() -> None:
    template = published("iot-maintenance")
    workflow = Workflow.objects.get(name=template.name)
    groups.create(name="windows", workflow=workflow, signal="sensor.window", by=None)
    signals.publish(name="sensor.window", key="S1", data=dict(template.samples[2].input), by=None, actor="feed")
    with shift():
        eventually(lambda: Run.objects.filter(workflow__name=template.name, status="succeeded").exists())

    assert Run.objects.filter(workflow__name=template.name).count() == 1


def readings() -> list[dict[str, Any]]:
    """The 61 events of the sample in which the last one raises an alert, one each five seconds."""
    template = templates.find("iot-readings")
    assert template is not None
    return [dict(one) for one in template.samples[2].input["recent"]]


def windows() -> list[tuple[str, list[Any]]]:
    """The alerts that were raised, in their order: the asset, and the window that each is about."""
    raised = Signal.objects.filter(name="sensor.window").order_by("pk")
    return [(signal.key, signal.data["readings"]) for signal in raised]


def listening() -> tuple[Workflow, Workflow]:
    """Both workflows with the groups that start them: one run for each reading, one for each alert."""
    for name in ("iot-readings", "iot-maintenance"):
        published(name)
    each, alerts = (Workflow.objects.get(name=name) for name in ("iot-readings", "iot-maintenance"))
    groups.create(name="readings", workflow=each, signal="sensor.reading", recent=61, by=None)
    groups.create(name="alerts", workflow=alerts, signal="sensor.window", by=None)
    return each, alerts


def send(sent: list[dict[str, Any]]) -> None:
    """The first 41 are kept for an hour, the rest for a day; another sensor speaks, too."""
    for number, one in enumerate(sent):
        kept = 60 if number < 41 else 24 * 60
        signals.publish(
            name="sensor.reading", key="Mast 3", data=one, sender_id=f"m3-{number}", keep_minutes=kept, by=None,
            actor="feed",
        )  # fmt: skip
    signals.publish(name="sensor.reading", key="Mast 4", data={**sent[0], "asset": "Mast 4"}, by=None, actor="feed")


def again(each: Workflow, *, runs: int) -> None:
    """Hand on everything that is kept once more, until there are so many runs."""
    groups.replay(name="readings", position=0, by=reviewer("ben"), reason="to see the same")
    eventually(lambda: Run.objects.filter(workflow=each, status="succeeded").count() == runs)


def test_stream_of_readings_raises_one_alert_that_replay_raises_again_until_the_past_is_purged() -> None:
    """B045: one event each five seconds, and what is kept decides what a replay can say."""
    each, alerts = listening()
    send(readings())

    with shift():
        eventually(lambda: Run.objects.filter(workflow=each, status="succeeded").count() == 62)
        eventually(lambda: Gate.objects.filter(workflow=alerts, status="open").count() == 1)
        first = windows()
        assert [(key, len(window)) for key, window in first] == [("Mast 3, Seattle", 60)]
        lengths = sorted(len(run.input["recent"]) for run in Run.objects.filter(workflow=each))
        assert lengths == sorted([*range(1, 62), 1]), "each with those of its key before it"

        again(each, runs=124)
        assert windows() == [first[0], first[0]]

        Signal.objects.filter(name="sensor.reading", expires_at__lt=Now() + timedelta(hours=2)).update(expires_at=Now())
        signals.forget_old()
        assert Signal.objects.filter(name="sensor.reading", key="Mast 3").count() == 20
        again(each, runs=145)
    assert windows() == [first[0], first[0]], "twenty readings are too few for a verdict"
