"""Every template found publishes under strict, and each of its samples ends as it says, with people's answers."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import registry
from approvals import demo
from approvals.gatekeeper import FALLBACK_QUEUE
from approvals.models import Gate
from approvals.services import decide
from orchestrator import checks, services, signals
from orchestrator.definitions.load import load
from orchestrator.definitions.people import queues_named
from orchestrator.gallery import templates
from orchestrator.gallery.templates import Answer, Sample, Template
from orchestrator.invariants import violations
from orchestrator.models import Run, Task, Wait
from orchestrator.patterns import plain
from orchestrator.results import result_of
from tests.engine import eventually, finished, shift, spare_breakers
from tests.hands import reviewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
EVERY = templates.every()


@pytest.fixture(autouse=True)
def _agents(tmp_path: Any, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    registry.autodiscover()
    registry.sync()
    demo.seed_queues()
    # Samples run side by side and some fail on purpose: three failures in a row would take the agent from the others.
    spare_breakers("^sample-")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each says that it runs offline: nothing but this machine may be asked for, by name or address."""
    asked: list[object] = []
    real, looked_up = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith("127.") and address[0] != "::1":
            asked.append(address)
            raise OSError("this test is offline")
        real(self, address)

    def getaddrinfo(host: Any, *more: Any, **facts: Any) -> Any:
        if host not in {None, "localhost", "127.0.0.1", "::1"}:
            asked.append(host)
            raise OSError("this test is offline")
        return looked_up(host, *more, **facts)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    assert asked == []


def strict(source: str) -> str:
    return source.replace("\nconfiguration:\n", "\nconfiguration:\n  strict: true\n", 1)


@pytest.mark.parametrize("template", EVERY, ids=lambda template: template.name)
def test_template_publishes_strictly_and_each_sample_ends_as_it_says(template: Template) -> None:
    source = strict(template.source)
    assert "  strict: true\n" in source
    version = services.publish(source=source, file=template.file, by=None, make_queues=True)
    version.refresh_from_db()
    assert checks.of_version(version) == []
    _says_who_is_asked(template)

    ana = reviewer()
    started = [
        (sample, services.start_run(workflow=template.name, input=sample.input, by=None, actor="feed"))
        for sample in template.samples
    ]
    told: set[tuple[int, str, str]] = set()
    with shift():
        eventually(lambda: all(_goes_on(sample, run, ana, told) for sample, run in started), seconds=150)

    for sample, run in started:
        assert run.status == sample.ends, (sample.title, run.error)
        outputs = result_of(run) if sample.outputs else {}
        assert {name: outputs.get(name) for name in sample.outputs} == sample.outputs, sample.title
    assert not list(violations())


def _says_who_is_asked(template: Template) -> None:
    """Its people and patterns are those of its definition."""
    known = {entry.name for entry in plain.entries()}
    assert set(template.facts.patterns) <= known, f"patterns: {set(template.facts.patterns) - known}"
    definition = load(template.source, file=template.file)
    queues = {FALLBACK_QUEUE, *(named.queue for named in queues_named(definition))}
    assert queues <= demo.QUEUES.keys(), "a manager could not install it in one click: these are not made by `make up`"
    keys = {step.key for step in definition.steps}
    for asked in template.facts.people:
        assert asked.gate in keys, f"no step {asked.gate}"
        assert asked.who in queues, f"no step asks {asked.who}"


def _goes_on(sample: Sample, run: Run, ana: User, told: set[tuple[int, str, str]]) -> bool:
    """Whether the run has ended; else whoever it waits for says their part."""
    for gate, answer in _open(sample, run):
        verdict = answer.verdict or ("approve" if "approve" in gate.allowed else "complete")
        assert verdict in gate.allowed, (sample.title, gate.title, gate.allowed, gate.subject.get("form"))
        decide(
            gate_id=gate.pk, gate_version=gate.version, verdict=verdict, by=ana, note=answer.note or "as agreed",
            edited=answer.edited,
        )  # fmt: skip
    for arrival in sample.signals:
        fact = (run.pk, arrival.name, arrival.key)
        if fact not in told and Wait.objects.filter(task__run=run, name=arrival.name).exists():
            told.add(fact)
            signals.publish(name=arrival.name, key=arrival.key, data=arrival.data, by=None, actor="feed")
    return finished(run)


def _open(sample: Sample, run: Run) -> Iterator[tuple[Gate, Answer]]:
    for gate in Gate.objects.filter(run=run, status="open"):
        key = Task.objects.get(pk=gate.task_id).key if gate.task_id else ""
        answer = sample.people.get(key) or sample.people.get(key.partition(".")[0])
        yield gate, answer or Answer()
