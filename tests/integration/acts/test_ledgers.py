"""People change the task ledger of a running magentic step: who may, what is refused, and what comes of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents.budgets import AMPLE
from agents.registry import agent
from agents.types import Json
from orchestrator import acts, ledger_lines
from orchestrator.acts import ActImpossible, PlanChanged
from orchestrator.errors import OrchestratorError, ReasonMissing
from orchestrator.models import Event, Run, StateEntry, Task
from tests import engine, factories
from tests.api import as_user
from tests.engine import eventually, finished, publish, shift, start, task
from tests.hands import violations

pytestmark = pytest.mark.django_db(transaction=True)

STEP = """
- key: work
  type: pattern
  pattern: magentic
  options:
    goal: find out
    manager: test-boss
    queue: operations
    agents: [{agent: test-echo}]
- {key: after, type: automated, agent: test-echo}
"""


@agent(name="test-boss", version=1, title="Boss", input=engine.OPEN, output=engine.OPEN, capabilities=[], budget=AMPLE)
async def boss(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Write two lines; then, when told to go on, run what is to do from the top, one after the other."""
    if not input["ledger"]:
        added = [{"do": "add", "id": name, "title": f"Do {name}", "agent": "test-echo", "input": {}} for name in "ab"]
        return {"changes": [{**one, "why": "needed"} for one in added]}
    await engine.patient({}, ctx)
    todo = [line["id"] for line in input["ledger"] if line["status"] == "todo"]
    return {"run": todo[:1]} if todo else {"done": True, "answer": [line["id"] for line in input["ledger"]]}


@pytest.fixture
def mia() -> factories.User:
    return factories.user("mia", "Workflow Orchestration Manager")


@pytest.fixture
def closed_gates() -> Iterator[None]:
    engine.gates_open.clear()
    yield
    engine.gates_open.set()


@pytest.fixture
def held(closed_gates: None) -> Iterator[Run]:
    """A run whose manager has written a and b and thinks about what to do now."""
    publish(STEP)
    run = start()
    with shift():
        eventually(lambda: ledger(run) == ["a", "b"])
        yield run
        engine.gates_open.set()  # else the shift, as it leaves, gives the manager all the time there is


def ledger(run: Run) -> list[Any]:
    return [entry["id"] for entry in ledger_lines.ledger_of(task(run, "work")).entries]


def do(
    run: Run, by: factories.User, name: str, reason: str = "because", digest: str = "", **answers: Json
) -> acts.Done:
    target = acts.of("task", task(run, "work").pk)
    return acts.perform(acts.find("task", name), target, by=by, reason=reason, answers=answers, digest=digest)


def test_person_adds_edits_drops_and_moves_lines_and_the_next_turns_obey(held: Run, mia: factories.User) -> None:
    added = do(
        held, mia, "ledger-add", "it is missing", title="Look", agent="test-echo", input={"what": "new"}, before="a"
    )
    do(held, mia, "ledger-edit", "sharper", line="a", title="Do it well", agent="test-echo", input={"what": "edited"})
    do(held, mia, "ledger-move", "later", line="a", before="(the end)")
    do(held, mia, "ledger-drop", "not needed", line="b")

    assert added.data["line"] == "p1"
    assert ledger(held) == ["p1", "b", "a"]
    engine.gates_open.set()
    eventually(lambda: finished(held))

    output = task(held, "work").output
    lines = {line["id"]: line for line in output["ledger"]}
    assert [line["id"] for line in output["ledger"]] == ["p1", "b", "a"]
    assert {name: line["status"] for name, line in lines.items()} == {"p1": "done", "b": "dropped", "a": "done"}
    assert lines["p1"]["by"] == "user:mia"
    assert lines["p1"]["why"] == "it is missing"
    assert (lines["a"]["title"], lines["a"]["result"]["what"]) == ("Do it well", "edited")
    assert [(one["by"], one["did"], one["id"]) for one in output["log"]][2:] == [
        ("user:mia", "add", "p1"),
        ("user:mia", "move", "p1"),
        ("user:mia", "change", "a"),
        ("user:mia", "move", "a"),
        ("user:mia", "drop", "b"),
    ]
    assert not Task.objects.of_run(held.pk).filter(key__startswith="work.b").exists()
    events = Event.objects.filter(run_id=held.pk, kind="task.noted", actor="user:mia").order_by("id")
    assert [(one.data["did"], one.data["line"], one.data["reason"]) for one in events] == [
        ("add", "p1", "it is missing"),
        ("change", "a", "sharper"),
        ("move", "a", "later"),
        ("drop", "b", "not needed"),
    ]
    assert not violations()


def test_what_the_manager_wants_run_while_people_drop_it_is_not_run(held: Run, mia: factories.User) -> None:
    do(held, mia, "ledger-drop", line="a")

    engine.gates_open.set()
    eventually(lambda: finished(held))

    assert not Task.objects.of_run(held.pk).filter(key__startswith="work.a").exists()
    assert Task.objects.of_run(held.pk).filter(key="work.b.1").exists()


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("ledger-edit", {"line": "z", "title": "x", "agent": "test-echo", "input": {}}),
        ("ledger-edit", {"line": "a", "title": "", "agent": "test-echo", "input": {}}),
        ("ledger-edit", {"line": "a", "title": "x", "agent": "test-boss", "input": {}}),
        ("ledger-add", {"title": "x", "agent": "rm", "input": {}}),
        ("ledger-add", {"title": "x", "agent": "test-echo", "input": {}, "before": "z"}),
        ("ledger-add", {"title": "x", "agent": "test-echo", "input": {"huge": "x" * 30_000}}),
        ("ledger-move", {"line": "a", "before": "a"}),
        ("ledger-drop", {}),
        ("ledger-drop", {"line": "a", "surprise": 1}),
    ],
)
def test_change_that_makes_no_sense_is_refused_and_nothing_is_kept(
    held: Run, mia: factories.User, name: str, answers: dict[str, Any]
) -> None:
    with pytest.raises(OrchestratorError):
        do(held, mia, name, **answers)

    assert not StateEntry.objects.filter(run_id=held.pk, key="work.notes").exists()
    assert not Event.objects.filter(kind="task.noted").exists()


def test_change_needs_a_reason_and_the_ledger_that_was_seen(held: Run, mia: factories.User) -> None:
    act, target = acts.find("task", "ledger-drop"), acts.of("task", task(held, "work").pk)
    seen = acts.preview(act, target, {"line": "b"})
    assert "“Do b” is not done." in seen.plan.lines[0]

    with pytest.raises(ReasonMissing):
        do(held, mia, "ledger-drop", " ", line="b")
    do(held, mia, "ledger-move", line="b", before="a")
    with pytest.raises(PlanChanged):
        do(held, mia, "ledger-drop", digest=seen.digest, line="b")

    digest = acts.preview(act, target, {"line": "b"}).digest
    do(held, mia, "ledger-drop", digest=digest, line="b")
    with pytest.raises(OrchestratorError):
        do(held, mia, "ledger-drop", digest=digest, line="b")
    assert len(StateEntry.objects.filter(run_id=held.pk, key="work.notes")) == 2


def test_each_change_but_dropping_offers_to_be_taken_back(held: Run, mia: factories.User) -> None:
    for name, answers in (
        ("ledger-move", {"line": "b", "before": "a"}),
        ("ledger-edit", {"line": "a", "title": "x", "agent": "test-echo", "input": {"n": 1}}),
        ("ledger-add", {"title": "x", "agent": "test-echo", "input": {}}),
    ):
        before = ledger(held)
        done = do(held, mia, name, **answers)  # type: ignore[arg-type]
        assert done.undo is not None
        do(held, mia, done.undo.name, **done.undo.answers)
        assert ledger(held)[:2] == before[:2]

    entries = {one["id"]: one for one in ledger_lines.ledger_of(task(held, "work")).entries}
    assert (entries["a"]["title"], entries["a"]["input"], entries["p1"]["status"]) == ("Do a", {}, "dropped")
    assert do(held, mia, "ledger-drop", line="b").undo is None


def test_only_a_live_magentic_step_has_a_ledger_to_change(held: Run, mia: factories.User) -> None:
    after = acts.of("task", task(held, "after").pk)
    act = acts.find("task", "ledger-add")
    with pytest.raises(ActImpossible):
        acts.preview(act, after, {"title": "x", "agent": "test-echo", "input": {}})

    offered = {one.name for one in acts.possible(mia, acts.of("task", task(held, "work").pk))}
    assert "ledger-add" in offered
    assert not offered & {"ledger-edit", "ledger-drop", "ledger-move"}
    engine.gates_open.set()
    eventually(lambda: finished(held))
    with pytest.raises(ActImpossible):
        do(held, mia, "ledger-drop", line="a")


def test_who_may_not_steer_changes_no_ledger(held: Run, mia: factories.User) -> None:
    path = f"/tasks/{task(held, 'work').pk}/acts/ledger-drop"
    body = {"answers": {"line": "a"}, "reason": "no"}

    assert as_user(factories.user("vic", "Auditor")).post(path, body).status_code == 403
    assert as_user(factories.user("rob", "Reviewer")).post(path, body).status_code in {403, 404}
    assert ledger_lines.ledger_of(task(held, "work")).entries[0]["status"] == "todo"
    assert as_user(mia).post(path, body).status_code == 200
    assert ledger_lines.ledger_of(task(held, "work")).entries[0]["status"] == "dropped"


def test_card_shows_who_added_what_and_why_and_what_waits(held: Run, mia: factories.User, client: Any) -> None:
    do(held, mia, "ledger-add", "<i>why</i>", title="<b>Look</b>", agent="test-echo", input={})
    client.force_login(mia)

    page = client.get(f"/runs/{held.pk}/?tab=graph&task=work").content.decode()

    assert "&lt;b&gt;Look&lt;/b&gt;" in page
    assert "added by mia in round 1" in page
    assert "“&lt;i&gt;why&lt;/i&gt;”" in page
    assert "added by manager in round 1" in page
    assert "with the next turn" in page
    assert "/ledger-edit/" in page
    client.force_login(factories.user("vic", "Auditor"))
    shown = client.get(f"/runs/{held.pk}/?tab=graph&task=work").content.decode()
    assert "added by mia in round 1" in shown
    assert "/ledger-" not in shown
