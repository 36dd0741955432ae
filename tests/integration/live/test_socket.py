"""The live socket against a real server and a real database."""

import time

import pytest

from approvals.models import Queue
from monitoring import consumers, hub
from orchestrator.sequencer import seal_all
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def tab(live):
    """A manager's open tab."""
    client = live.sign_in(people.person("mara", MANAGER))
    with live.open(client) as browser:
        yield browser


def test_socket_of_nobody_is_accepted_and_closed_4401(live):
    with live.open(None) as browser:
        assert browser.close_code() == 4401


def test_socket_hears_that_its_topic_changed(live, tab):
    answer = tab.join("floor", "run:7")

    live.happen("run.started", run_id=8)

    assert answer["topics"] == ["floor"]  # there is no run 7
    assert answer["refused"] == ["run:7"]
    frame = tab.hear("changed")
    assert frame["regions"] == ["floor"]
    assert frame["pos"] == live.head()


def test_socket_hears_nothing_of_topics_it_left(live, tab):
    tab.join("floor", "agents")
    tab.say(type="unsubscribe", topics=["floor"])
    tab.say(type="ping")
    tab.hear("pong")

    live.happen("task.started", run_id=8)

    assert tab.hear("changed")["regions"] == ["agents"]


def test_subscribe_since_an_old_position_says_at_once_what_changed(live, tab):
    tab.join("shell")
    live.happen("run.started", run_id=8)
    live.happen("workflow.published")
    tab.hear("changed")

    answer = tab.join("runs", "workflows", "agents", since=live.head() - 1)

    assert answer["regions"] == ["workflows"]
    assert tab.join("floor", since=live.head())["regions"] == []


def test_page_that_was_open_before_the_server_started_is_told_what_changed_since(live):
    live.happen("run.started", run_id=8)
    client, seen = live.sign_in(people.person("mara", MANAGER)), live.head()
    live.happen("workflow.published")

    with live.open(client) as browser:
        assert browser.join("workflows", "agents", since=seen)["regions"] == ["workflows"]


def test_page_from_longer_ago_than_the_server_looks_back_is_told_everything(live, monkeypatch):
    monkeypatch.setattr(hub, "LOOK_BACK", 1)
    live.happen("run.started", run_id=8)
    client = live.sign_in(people.person("mara", MANAGER))
    live.happen("workflow.published")

    with live.open(client) as browser:
        assert browser.join("agents", "floor", since=1)["regions"] == ["agents", "floor"]


def test_page_that_does_not_know_how_old_it_is_is_told_everything(live, tab):
    assert tab.join("agents", "floor", since=0)["regions"] == ["agents", "floor"]


def test_socket_hears_of_a_change_whose_doorbell_was_lost(live, tab):
    tab.join("floor")
    zeros = "decode(repeat('00', 32), 'hex')"
    live.connection.execute("SELECT append_event('run.started', 'engine', 8, NULL, NULL)")
    live.connection.execute(
        f"INSERT INTO orchestrator_ledger SELECT {live.head() + 1}, max(id), {zeros}, {zeros} FROM orchestrator_event"
    )

    assert tab.hear("changed", seconds=5)["pos"] == live.head()


def test_socket_hears_of_what_nobody_seals(live, tab):
    tab.join("alerts", "floor")

    live.connection.execute("SELECT append_event('alert.raised', 'engine', NULL, NULL, NULL)")

    assert tab.hear("changed", seconds=8)["regions"] == ["alerts"]
    assert tab.hear_all(seconds=3) == []  # once is enough
    seal_all(live.connection)
    assert tab.hear("changed")["pos"] == live.head()


def test_socket_in_a_storm_gets_four_frames_a_second_and_the_newest_state(live, tab):
    tab.join("floor")
    began = time.monotonic()
    while time.monotonic() < began + 2:
        live.happen("task.started", run_id=8)

    frames = tab.hear_all(seconds=0.6)

    assert live.head() > 20
    assert 4 <= len(frames) <= (time.monotonic() - began) * 4 + 1
    assert frames[-1]["pos"] == live.head()


def test_socket_survives_the_loss_of_the_hubs_connection(live, tab):
    tab.join("floor")
    live.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeeper hub'"
    )

    live.happen("run.started", run_id=8)

    assert tab.hear("changed")["pos"] == live.head()


@pytest.mark.parametrize(
    "frame", ["{", "[]", '{"type": "decide", "gate": 1}', '{"type": "subscribe", "topics": 5}', '"x"']
)
def test_socket_ignores_what_it_does_not_know(tab, frame):
    tab.socket.send(frame)
    tab.say(type="ping")

    assert tab.hear("pong")["type"] == "pong"


def test_socket_that_sends_too_much_at_once_is_closed(tab):
    tab.socket.send("x" * (consumers.MAX_FRAME + 1))

    assert tab.close_code() == consumers.TOO_LARGE


def test_socket_that_sends_too_often_is_closed(tab):
    for _ in range(60):
        tab.say(type="ping")

    assert tab.close_code() == consumers.TOO_MANY


def test_socket_has_thirty_topics_at_most(tab):
    for number in range(40):
        Queue.objects.create(name=f"q{number:02}", title="q")

    tab.join(*[f"queue:q{number:02}" for number in range(25)])
    answer = tab.join(*[f"queue:q{number:02}" for number in range(25, 40)])

    assert len(answer["topics"]) == 5


def test_eleventh_socket_of_a_user_is_refused(live):
    client = live.sign_in(people.person("mara", MANAGER))
    opened = [live.open(client) for _ in range(consumers.MAX_SOCKETS)]
    for one in opened:
        one.__enter__().join("shell")

    with live.open(client) as eleventh:
        assert eleventh.close_code() == consumers.TOO_MANY

    for one in opened:
        one.__exit__(None, None, None)
