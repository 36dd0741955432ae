"""Searching the sealed trail, and evidence that is checked offline by the script that comes with the product."""

import importlib.util
import io
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from django.test import Client

from approvals import services
from approvals.models import Gate
from monitoring.forensics import indexing, pack, searching
from monitoring.forensics.searching import Filter
from monitoring.models import Mention
from orchestrator import events, failpoints
from orchestrator.models import Event, Run
from orchestrator.sequencer import connect, seal_all
from tests import factories, people

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def offline(request: pytest.FixtureRequest) -> ModuleType:
    place = request.config.rootpath / "docs" / "verify_evidence.py"
    spec = importlib.util.spec_from_file_location("verify_evidence", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def auditor() -> User:
    return factories.user("nora", "Auditor")


@pytest.fixture
def decided() -> Gate:
    """A gate that `rita` has approved, in a run about an incident; everything sealed and indexed."""
    run = people.run()
    Run.objects.filter(pk=run.pk).update(input={**run.input, "incident_id": "INC-7"})
    gate = people.gate(of=run)
    services.decide(gate_id=gate.pk, by=people.person("rita", decides=gate.queue), verdict="approve", gate_version=1)
    index()
    return Gate.objects.get(pk=gate.pk)


def index() -> None:
    with connect() as connection:
        seal_all(connection)
    indexing.index()


def kinds(wanted: Filter) -> set[str]:
    return {event.kind for _pos, event in searching.search(wanted).events}


def test_search_finds_a_run_by_whatever_is_known_of_it(decided: Gate) -> None:
    run = Run.objects.get(pk=decided.run_id)
    other = factories.run(factories.workflow())
    factories.event(other, "run.failed")
    index()

    for wanted in (Filter(incident="INC-7"), Filter(correlation=run.correlation_id), Filter(run=str(run.pk))):
        assert searching.runs_of(wanted) == [run.pk]
        found = searching.search(wanted).events
        assert {event.run_id for _pos, event in found} == {run.pk}
        assert "gate.decided" in {event.kind for _pos, event in found}


def test_search_by_person_finds_what_they_did_and_what_was_done_to_them(decided: Gate) -> None:
    person = factories.user("zoe")
    events.append("role.granted", actor="user:adam", data={"user": "zoe", "role": "Auditor"})
    index()

    assert kinds(Filter(person="rita")) >= {"gate.decided"}
    assert kinds(Filter(person="rita", kind="gate.decided")) == {"gate.decided"}
    assert searching.runs_of(Filter(person="rita")) == [decided.run_id]
    assert kinds(Filter(person=person.get_username())) == kinds(Filter(person="adam")) == {"role.granted"}


def test_search_by_person_finds_what_is_sealed_and_not_yet_indexed(decided: Gate) -> None:
    events.append("stop.set", actor="user:rita", data={"scope": "everything"})
    with connect() as connection:
        seal_all(connection)

    found = [event.kind for _pos, event in searching.search(Filter(person="rita")).events]

    assert found[0] == "stop.set"
    assert "gate.decided" in found


def test_search_by_agent_finds_its_tasks_and_what_was_said_of_it() -> None:
    for name in ("digger", "reader"):
        factories.agent(name)
    run = factories.run(factories.workflow("w", factories.steps("a", "b", agents={"a": "digger", "b": "reader"})))
    for place in (0, 1):
        factories.event(run, "task.started", made=factories.task(run, place), attempt=1)
    events.append("agent.silent", actor="engine", data={"agent": "digger"})
    index()

    found = searching.search(Filter(agent="digger")).events

    assert [(event.kind, event.task_id) for _pos, event in found] == [
        ("agent.silent", None), ("task.started", factories.task(run, 0).pk),
    ]  # fmt: skip
    assert searching.runs_of(Filter(agent="reader")) == [run.pk]


def test_search_page_by_page_shows_every_event_once(decided: Gate) -> None:
    run = Run.objects.get(pk=decided.run_id)
    for number in range(2 * searching.PAGE):
        factories.event(run, "task.noted", actor="user:rita", n=number)
    index()
    hers = Q(actor="user:rita") | Q(data__user="rita", run=None)  # what was granted to her among it
    totals = {"incident": Event.objects.filter(run_id=run.pk), "person": Event.objects.filter(hers)}

    for what, name in (("incident", "INC-7"), ("person", "rita")):
        seen: list[int] = []
        before: int | None = None
        while True:
            page = searching.search(Filter(**{what: name}, before=before))
            seen += [pos for pos, _event in page.events]
            if (before := page.older) is None:
                break
        assert seen == sorted(set(seen), reverse=True)
        assert len(seen) == totals[what].count() > 2 * searching.PAGE


def test_reading_a_stretch_twice_adds_nothing(decided: Gate) -> None:
    before = Mention.objects.count()
    indexing.MentionCursor.objects.update(pos=0)

    indexing.index()

    assert Mention.objects.count() == before > 0


def test_evidence_holds_offline_and_names_who_is_accountable(
    auditor: User, decided: Gate, offline: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pack.evidence(auditor, Filter(incident="INC-7"))
    file = tmp_path / made.name
    file.write_bytes(made.body)

    code = offline.main([str(file), "--public-key", str(tmp_path / "signing.pub")])

    assert (code, "OK: files, signature, events and gates hold" in capsys.readouterr().out) == (0, True)
    with zipfile.ZipFile(file) as archive:
        (gate,) = json.loads(archive.read("gates.json"))
        (account,) = json.loads(archive.read("accountable.json"))
        lines = json.loads(archive.read("narrative.json"))["lines"]
        assert b"Art. 14(4)" in archive.read("mapping.html")
    assert (gate["subject"], gate["seal"]) == (decided.subject, decided.seal)
    assert (account["by"], account["verdict"]) == ("rita", "approve")
    assert {line["run"] for line in lines} == {decided.run_id}
    taken = Event.objects.get(kind="audit.exported")
    assert (taken.actor, taken.data["about"]) == ("user:nora", {"incident": "INC-7"})


def _edited(name: str, old: str, new: str) -> Any:
    def edit(files: dict[str, bytes]) -> None:
        assert old in files[name].decode()
        files[name] = files[name].decode().replace(old, new).encode()

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(_edited("gates.json", "approve", "reject"), "gates.json was changed", id="verdict"),
        pytest.param(_edited("events.jsonl", "user:rita", "user:adam"), "the event was changed", id="event"),
        pytest.param(_edited("manifest.json", "nora", "adam"), "the manifest was changed", id="manifest"),
        pytest.param(lambda files: files.pop("accountable.json"), "accountable.json is missing", id="missing"),
        pytest.param(lambda files: files.update({"more.txt": b"x"}), "put in afterwards", id="added"),
    ],
)
def test_evidence_that_was_changed_is_broken_offline(
    auditor: User, decided: Gate, offline: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    edit: Any, said: str,
) -> None:  # fmt: skip
    body = pack.evidence(auditor, Filter(incident="INC-7")).body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    edit(files)
    file = tmp_path / "changed.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)

    code = offline.main([str(file)])

    assert (code, said in capsys.readouterr().out) == (1, True)


def test_evidence_signed_by_somebody_else_is_broken_offline(
    auditor: User, decided: Gate, offline: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, keys = tmp_path / "pack.zip", tmp_path / "theirs.pub"
    file.write_bytes(pack.evidence(auditor, Filter(incident="INC-7")).body)
    keys.write_text("ab" * 32)

    assert offline.main([str(file), "--public-key", str(keys)]) == 1
    assert "a key that is not the installation's" in capsys.readouterr().out


def test_nothing_is_handed_over_that_cannot_be_recorded(auditor: User, decided: Gate) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(auditor, backend=BACKEND)
    failpoints.configure("audit.record=raise")
    try:
        answers = [
            browser.post("/audit/evidence/", {"incident": "INC-7"}),
            browser.post("/audit/narrative/", {"incident": "INC-7"}),
            browser.post("/audit/export/"),
        ]
        reading = browser.get("/audit/?incident=INC-7")
    finally:
        failpoints.configure("")

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert reading.status_code == 200
    assert not Event.objects.filter(kind="audit.exported").exists()


def test_evidence_leaves_out_what_one_may_not_see(decided: Gate) -> None:
    lead = factories.user("quinn", "Quality Assurance Lead")
    outsider = factories.user("olly")

    assert pack.evidence(lead, Filter(incident="INC-7")).body
    with pytest.raises(pack.NothingFound, match="No run that you may see"):
        pack.evidence(outsider, Filter(incident="INC-7"))


def test_page_offers_evidence_of_the_runs_that_it_shows(auditor: User, decided: Gate) -> None:
    browser = Client()
    browser.force_login(auditor, backend=BACKEND)

    shown = browser.get("/audit/?incident=INC-7").content.decode()
    story = browser.post("/audit/narrative/", {"incident": "INC-7"})
    nothing = browser.post("/audit/evidence/", {"incident": "INC-0"}, follow=True)

    assert f"/runs/{decided.run_id}/" in shown
    assert "Evidence pack" in shown
    assert story["Content-Disposition"].startswith("attachment")
    assert f"#{decided.run_id}" in story.content.decode()
    assert "No run that you may see is about this." in nothing.content.decode()
