"""The pages of messages."""

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
    assert "Deliver again" in narrowed


def test_message_page_shows_the_text_as_its_agents_own_and_reveals_tricks(engineer):
    message = send({"text": "<script>alert(1)</script> \u202egnp"}, to="legal")

    page = engineer.get(f"{HERE}{message.uid}/").content.decode()

    assert "Written by agent planner" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_dead_letter_is_put_back_in_the_browser(engineer):
    delivery = send({"text": "x"}, to="legal").deliveries.get()
    Delivery.objects.update(state="dead", problem="It broke.", failures=5)

    assert "It broke." in engineer.get(f"{HERE}?tab=dead").content.decode()
    nothing = engineer.post(f"{HERE}dead/", {"reason": "mended"})
    without = engineer.post(f"{HERE}dead/", {"delivery": delivery.pk, "reason": ""})
    done = engineer.post(f"{HERE}dead/", {"delivery": delivery.pk, "reason": "mended"})
    late = engineer.post(f"{HERE}dead/", {"delivery": delivery.pk, "reason": "mended"})

    assert [answer.status_code for answer in (nothing, without, done, late)] == [422, 422, 302, 409]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.failures) == ("queued", 0)


def test_dead_letter_is_given_up(engineer):
    delivery = send({"text": "x"}, to="legal").deliveries.get()
    Delivery.objects.update(state="dead", failures=5)

    engineer.post(f"{HERE}dead/", {"delivery": delivery.pk, "reason": "nobody wants it", "drop": "1"})

    delivery.refresh_from_db()
    assert delivery.state == "expired"


def test_routing_rule_made_in_the_browser_holds_for_the_next_message(engineer):
    refused = engineer.post(f"{HERE}routing/", {"agent": "legal", "topic": "Bad Topic"})
    engineer.post(f"{HERE}routing/", {"agent": "legal", "topic": "claims.*", "match": "message.payload.n > 1"})
    rule = Subscription.objects.get()

    assert (refused.status_code, b"lower-case" in refused.content) == (422, True)
    assert send({"n": 2}, topic="claims.legal").readers == 1
    engineer.post(f"{HERE}routing/{rule.pk}/disable/")
    assert send({"n": 2}, topic="claims.legal").readers == 0
    engineer.post(f"{HERE}routing/{rule.pk}/enable/")
    engineer.post(f"{HERE}routing/{rule.pk}/remove/", {"reason": "merged"})
    assert not Subscription.objects.exists()


def test_replay_in_the_browser(engineer):
    send(to="legal", correlation_id="case")

    assert engineer.post(f"{HERE}replay/", {"correlation_id": "case", "reason": ""}).status_code == 422
    assert engineer.post(f"{HERE}replay/", {"correlation_id": "case", "reason": "why not"}).status_code == 302
    assert Delivery.objects.filter(replay=1).count() == 1


def test_bridges_say_how_they_are(engineer):
    assert "No bridges" in engineer.get(f"{HERE}?tab=bridges").content.decode()
    BridgeHealth.objects.create(name="mqtt://h:1883", kind="mqtt", rank=0, up=True, active=True)
    BridgeHealth.objects.create(name="redis://h:6379", kind="redis", rank=1, problem="Connection refused.")

    page = engineer.get(f"{HERE}?tab=bridges").content.decode()

    assert ("in use" in page, "down" in page, "Connection refused." in page) == (True, True, True)


@pytest.mark.parametrize(
    "path", ["", "?tab=dead", "?tab=routing", "?tab=bridges", "?state=nonsense&before=x&topic=%00"]
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
