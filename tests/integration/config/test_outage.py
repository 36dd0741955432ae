"""While the database is away every page says one sentence at once, and goes on by itself when it is back."""

import socket
from collections.abc import Iterator

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.utils import translation

from config import outage, pages

pytestmark = pytest.mark.django_db
PAGES = ("/", "/inbox/", "/runs/", "/workflows/", "/editor/", "/teams/", "/audit/", "/sign-in/")


@pytest.fixture
def server(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the database is said to be: bound, and listening only when a test says so. It is known to be away."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        # Looked at anew each time; the connection that the test has is not.
        monkeypatch.setitem(settings.DATABASES["default"], "HOST", "127.0.0.1")
        monkeypatch.setitem(settings.DATABASES["default"], "PORT", bound.getsockname()[1])
        _missed()
        yield bound
        outage._Known.is_away = False


def _missed() -> None:
    """What a request does that has waited for the database in vain."""
    try:
        raise OperationalError("couldn't get a connection after 3.00 sec")
    except OperationalError:
        answer = pages.server_error(RequestFactory().get("/runs/"))
    assert answer.status_code == 503


@pytest.mark.parametrize("path", PAGES)
def test_page_says_one_sentence_and_looks_again_by_itself(path: str, server: socket.socket, client: Client) -> None:
    answer = client.get(path)

    assert answer.status_code == 503
    shown = answer.content.decode()
    assert "The database does not answer" in shown
    assert '<meta http-equiv="refresh" content="2">' in shown
    assert "Traceback" not in shown


def test_page_is_in_the_readers_language_whatever_the_thread_did_before(server: socket.socket, client: Client) -> None:
    with translation.override("de"):
        assert "The database does not answer" in client.get("/").content.decode()
    client.cookies["django_language"] = "de"
    shown = client.get("/").content.decode()

    assert "Die Datenbank antwortet nicht" in shown
    assert '<html lang="de">' in shown


def test_what_is_sent_meanwhile_is_not_sent_again_by_itself(server: socket.socket, client: Client) -> None:
    shown = client.post("/editor/", {"source": "x"})

    assert shown.status_code == 503
    assert "Nothing was changed." in shown.content.decode()
    assert "refresh" not in shown.content.decode()


def test_programs_are_told_in_the_words_of_the_api(server: socket.socket, client: Client) -> None:
    answer = client.get("/api/v1/runs")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


def test_pages_go_on_when_something_listens_again(server: socket.socket, client: Client) -> None:
    assert client.get("/sign-in/").status_code == 503

    server.listen()

    assert client.get("/sign-in/").status_code == 200
    assert not outage._Known.is_away


def test_other_errors_are_ours() -> None:
    try:
        raise ValueError("a mistake")
    except ValueError:
        answer = pages.server_error(RequestFactory().get("/runs/"))

    assert answer.status_code == 500
    assert not outage._Known.is_away
