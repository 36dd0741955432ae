"""Who may open a socket, and that rights and sessions which end take it away."""

import time

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from websockets.exceptions import InvalidStatus

from approvals import access
from monitoring.origins import is_own_origin
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)
MANAGER = "Workflow Orchestration Manager"
SOON = 5.0


@pytest.fixture
def mara(live):
    return people.person("mara", MANAGER)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param(None, id="none"),
        pytest.param("null", id="null"),
        pytest.param("https://127.0.0.1:{port}", id="other-scheme"),
        pytest.param("http://127.0.0.1", id="default-port"),
        pytest.param("http://127.0.0.1:1", id="other-port"),
        pytest.param("http://127.0.0.1:{port}.evil.test", id="suffix"),
        pytest.param("http://evil.127.0.0.1:{port}", id="prefix"),
        pytest.param("http://127.0.0.1:{port}@evil.test", id="userinfo"),
        pytest.param("http://evil.test@127.0.0.1:{port}", id="userinfo-before"),
        pytest.param("http://127.0.0.1:{port}/", id="path"),
        pytest.param("http://localhost:{port}", id="other-name-of-the-same"),
        pytest.param("http://127.0.0.1:{port} http://evil.test", id="two"),
        pytest.param("file://", id="file"),
        pytest.param("http://evil.test", id="foreign"),
    ],
)
def test_handshake_with_a_forged_origin_is_refused(live, mara, origin):
    client = live.sign_in(mara)

    with pytest.raises(InvalidStatus) as refused, live.open(client, origin=origin and origin.format(port=live.port)):
        pass

    assert refused.value.response.status_code == 403


def test_handshake_from_the_own_origin_is_accepted(live, mara):
    with live.open(live.sign_in(mara)) as browser:
        assert browser.join("floor")["topics"] == ["floor"]


@pytest.mark.parametrize(
    ("origin", "host", "secure", "own"),
    [
        ("http://localhost:8000", "localhost:8000", False, True),
        ("http://localhost", "localhost", False, True),
        ("http://localhost:80", "localhost", False, True),
        ("https://localhost", "localhost:443", True, True),
        ("http://[::1]:8000", "[::1]:8000", False, True),
        ("http://localhost:8000", "localhost:8000", True, False),
        ("https://localhost:8000", "localhost:8000", False, False),
        ("http://evil.test:8000", "evil.test:8000", False, False),
        ("http://localhost:99999", "localhost:8000", False, False),
        ("http://[::1", "[::1]:8000", False, False),
        ("", "localhost:8000", False, False),
    ],
)
def test_own_origin_is_scheme_host_and_port_of_an_allowed_host(settings, origin, host, secure, own):
    settings.PUBLIC_ORIGINS, settings.SESSION_COOKIE_SECURE = [], False
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

    assert is_own_origin(origin, host=host, secure=secure) is own


def test_own_origin_with_public_origins_is_one_of_them(settings):
    settings.PUBLIC_ORIGINS = ["https://watch.example.org"]

    assert is_own_origin("https://watch.example.org", host="10.0.0.5:8000", secure=False)
    assert not is_own_origin("http://10.0.0.5:8000", host="10.0.0.5:8000", secure=False)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda client, user: client.session.flush(), id="signed-out"),
        pytest.param(
            lambda client, user: Session.objects.update(expire_date="2020-01-01T00:00Z"), id="session-expired"
        ),
        pytest.param(lambda client, user: User.objects.filter(pk=user.pk).update(is_active=False), id="disabled"),
        pytest.param(lambda client, user: User.objects.filter(pk=user.pk).update(password="!"), id="password-changed"),
        pytest.param(lambda client, user: User.objects.filter(pk=user.pk).delete(), id="deleted"),
    ],
)
def test_socket_of_an_ended_session_is_closed_within_five_seconds_without_any_push(live, mara, end):
    client = live.sign_in(mara)
    with live.open(client) as browser:
        browser.join("floor")
        end(client, mara)

        assert browser.close_code(seconds=SOON) == 4401


@pytest.fixture
def gate(live):
    return people.gate()


def test_topic_of_a_revoked_grant_is_taken_away_by_the_push(live, gate):
    ana = people.person("ana", decides=gate.queue)
    with live.open(live.sign_in(ana)) as browser:
        assert browser.join(f"gate:{gate.pk}", "inbox", "shell")["refused"] == []

        access.revoke(of=ana, permission="decide_gates", on=gate.queue, by=None)
        lost = browser.hear("revoked", seconds=SOON)["topics"]
        live.happen("gate.commented", run_id=gate.run_id, data={"gate": gate.pk})

        assert lost == [f"gate:{gate.pk}", "inbox"]
        heard = {region for frame in browser.hear_all(seconds=1) for region in frame["regions"]}
        assert heard == {"shell"}
        assert browser.join(f"gate:{gate.pk}")["refused"] == [f"gate:{gate.pk}"]


def test_topic_of_a_revoked_role_is_taken_away_when_the_push_is_lost(live, mara, monkeypatch):
    """The listener is deaf; only the clock looks at the rights epoch."""
    monkeypatch.setattr("monitoring.hub.Hub.suspect", lambda hub, user_id: None)
    with live.open(live.sign_in(mara)) as browser:
        browser.join("floor", "shell")
        began = time.monotonic()

        access.set_role(user_id=mara.pk, role=MANAGER, held=False, by=None)

        assert browser.hear("revoked", seconds=SOON)["topics"] == ["floor"]
        assert time.monotonic() - began < SOON


def test_topics_of_others_are_refused(live, gate):
    stranger = people.person("sam", "Reviewer")
    with live.open(live.sign_in(stranger)) as browser:
        wanted = [
            f"gate:{gate.pk}",
            f"run:{gate.run_id}",
            f"queue:{gate.queue.name}",
            "inbox",
            "runs",
            "audit",
            "nonsense",
        ]

        assert browser.join(*wanted)["topics"] == []
