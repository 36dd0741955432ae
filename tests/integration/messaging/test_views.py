"""The pages of messages."""

import html
import json
import re
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.test import Client

from agents.models import BridgeHealth, Delivery, Subscription
from tests import factories
from tests.messages import agents, send

pytestmark = pytest.mark.django_db
HERE = "/agents/messages/"


@pytest.fixture
def engineer(client: Client) -> Client:
    agents("planner", "legal")
    client.force_login(factories.user("ina", "System Integration Engineer"))
    return client


def test_list_shows_who_told_whom_and_what_became_of_it(engineer):
    send({"text": "x"}, to="legal", correlation_id="case-7")
    send(topic="claims", correlation_id="case-8")

    page = engineer.get(HERE).content.decode()
    narrowed = engineer.get(f"{HERE}?correlation_id=case-7").content.decode()

    assert "planner → legal" in page
    assert "nobody listens" in page
    assert "planner → claims" not in narrowed
    assert "Deliver this piece of work again" in narrowed


def test_message_page_shows_the_text_as_its_agents_own_and_reveals_tricks(engineer):
    message = send({"text": "<script>alert(1)</script> \u202egnp"}, to="legal")

    page = engineer.get(f"{HERE}{message.uid}/").content.decode()

    assert "Written by agent planner" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


def followed(engineer, path, posted, reason="mended"):
    """Choose, read what would happen, say why; the response to that."""
    chosen = engineer.post(path, posted)
    assert chosen.status_code == 302
    return acted(engineer, chosen.url, reason)


def acted(engineer, address, reason="mended"):
    dialog = engineer.get(address).content.decode()
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', dialog)
    answers = json.loads(parse_qs(urlsplit(address).query)["answers"][0])
    sent = {f"input.{name}": text if isinstance(text, str) else json.dumps(text) for name, text in answers.items()}
    return engineer.post(address.partition("?")[0], {**sent, "reason": reason, "digest": digest[1] if digest else ""})


def links(page):
    return [html.unescape(found) for found in re.findall(r'data-dialog href="([^"]+)"', page.content.decode())]


def test_dead_letter_is_put_back_in_the_browser(engineer):
    delivery = send({"text": "x"}, to="legal").deliveries.get()
    Delivery.objects.update(state="dead", problem="It broke.", failures=5)

    assert "It broke." in engineer.get(f"{HERE}?tab=dead").content.decode()
    nothing = engineer.post(f"{HERE}dead/", {})
    dialog = engineer.post(f"{HERE}dead/", {"delivery": delivery.pk}, follow=True).content.decode()
    without = followed(engineer, f"{HERE}dead/", {"delivery": delivery.pk}, reason="")
    done = followed(engineer, f"{HERE}dead/", {"delivery": delivery.pk})
    late = followed(engineer, f"{HERE}dead/", {"delivery": delivery.pk})

    assert "TASK from planner for legal. It broke." in dialog
    assert [answer.status_code for answer in (nothing, without, done, late)] == [422, 422, 302, 409]
    assert done.url == f"{HERE}?tab=dead"
    delivery.refresh_from_db()
    assert (delivery.state, delivery.failures) == ("queued", 0)


def test_dead_letter_is_given_up(engineer):
    delivery = send({"text": "x"}, to="legal").deliveries.get()
    Delivery.objects.update(state="dead", failures=5)

    followed(engineer, f"{HERE}dead/", {"delivery": delivery.pk, "drop": "1"})

    delivery.refresh_from_db()
    assert delivery.state == "expired"


def test_routing_rule_made_in_the_browser_holds_for_the_next_message(engineer):
    refused = followed(engineer, f"{HERE}routing/", {"agent": "legal", "topic": "Bad Topic"})
    made = {"agent": "legal", "topic": "claims.*", "match": "message.payload.n > 1"}
    assert followed(engineer, f"{HERE}routing/", made).status_code == 302

    assert (refused.status_code, b"lower-case" in refused.content) == (409, True)
    assert send({"n": 2}, topic="claims.legal").readers == 1
    for readers in (0, 1):  # stop, go on
        assert acted(engineer, links(engineer.get(f"{HERE}?tab=routing"))[0]).status_code == 302
        assert send({"n": 2}, topic="claims.legal").readers == readers
    acted(engineer, links(engineer.get(f"{HERE}?tab=routing"))[1])
    assert not Subscription.objects.exists()


def test_replay_in_the_browser(engineer):
    send(to="legal", correlation_id="case")
    offered = links(engineer.get(f"{HERE}?correlation_id=case"))[-1]

    assert acted(engineer, offered, reason="").status_code == 422
    assert acted(engineer, offered).status_code == 302
    assert Delivery.objects.filter(replay=1).count() == 1


def test_bridges_say_how_they_are(engineer):
    assert "No bridges" in engineer.get(f"{HERE}?tab=bridges").content.decode()
    BridgeHealth.objects.create(name="mqtt://h:1883", kind="mqtt", rank=0, up=True, active=True)
    BridgeHealth.objects.create(name="redis://h:6379", kind="redis", rank=1, problem="Connection refused.")

    page = engineer.get(f"{HERE}?tab=bridges").content.decode()

    assert ("in use" in page, "down" in page, "Connection refused." in page) == (True, True, True)


@pytest.mark.parametrize(
    "path", ["", "?tab=dead", "?tab=routing", "?tab=bridges", "?state=nonsense&before=x&topic=%01"]
)
def test_who_may_not_see_messages_sees_none_and_who_may_only_look_is_offered_nothing(client, path):
    client.force_login(factories.user("sam", "Reviewer"))
    assert client.get(HERE + path).status_code == 403

    client.force_login(factories.user("ola", "Auditor"))
    page = client.get(HERE + path)
    assert (page.status_code, b'<form class="panel" method="post"' in page.content) == (200, False)
    assert client.post(f"{HERE}dead/", {"delivery": 1, "reason": "x"}).status_code == 403
    assert client.post(f"{HERE}routing/", {"agent": "a", "topic": "b"}).status_code == 403


def test_message_that_is_not_there_says_so(engineer):
    assert engineer.get(f"{HERE}{uuid4()}/").status_code == 404
