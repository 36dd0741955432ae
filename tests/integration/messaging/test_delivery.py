"""Who gets which message, once, in which order, until when."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.models.functions import Now

from agents.messaging import inbox, operations, upkeep
from agents.messaging.errors import (
    DeliveryNotHeld,
    MessageConflict,
    MessageLoop,
    MessageRefused,
    NoMessage,
    NotDead,
    RecipientUnknown,
    SubscriptionExists,
    SubscriptionRefused,
    TooManyHops,
    WaitCycle,
    WhyMissing,
)
from agents.messaging.inbox import ANY, Wanted
from agents.messaging.sending import send as accept
from agents.models import Agent, Delivery, Expectation, Message
from orchestrator.models import Event
from tests.messages import agents, envelope, reader, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return User.objects.create_user("integrator")


def texts(taken: list[inbox.Taken]) -> list[object]:
    return [one.envelope.payload.get("text") for one in taken]


def events(kind: str) -> list[dict[str, object]]:
    return list(Event.objects.filter(kind=kind).order_by("id").values_list("data", flat=True))


# Whom it goes to


def test_direct_message_is_read_by_its_agent_and_invisible_to_others():
    agents("planner", "legal", "finance")
    send({"text": "secret"}, to="legal")

    assert texts(inbox.take(reader("finance"), limit=10)) == []
    assert texts(inbox.take(reader("legal"), limit=10)) == ["secret"]


def test_message_to_an_agent_that_is_not_there_is_refused_and_leaves_nothing():
    agents("planner")

    with pytest.raises(RecipientUnknown, match="'nobody'"):
        send(to="nobody")

    assert not Message.objects.exists()


def test_message_for_one_address_is_read_there_only():
    agents("planner", "legal")
    send({"text": "answer"}, to="legal", to_address="task-1-0")

    assert inbox.take(reader("legal", "task-2-0")) == []
    assert texts(inbox.take(reader("legal", "task-1-0"))) == ["answer"]


def test_broadcast_reaches_each_subscriber_exactly_once(person):
    agents("planner", "legal", "finance", "deaf")
    operations.subscribe("legal", "broadcast", by=person)
    operations.subscribe("legal", "#", by=person)  # two rules, one reader
    operations.subscribe("finance", "broadcast", by=person)
    operations.subscribe("planner", "broadcast", by=person)  # who sent it does not read it

    message = send({"text": "all"}, broadcast=True)

    assert sorted(message.deliveries.values_list("recipient", flat=True)) == ["finance", "legal"]
    for name in ("legal", "finance"):
        first, again = inbox.take(reader(name), limit=10), inbox.take(reader(name, "second"), limit=10)
        assert (texts(first), again) == (["all"], [])


def test_topic_reaches_only_those_who_listen_to_it(person):
    agents("planner", "legal", "finance", "archive")
    operations.subscribe("legal", "claims.legal", by=person)
    operations.subscribe("finance", "claims.finance", by=person)
    operations.subscribe("archive", "claims.#", by=person)

    message = send(topic="claims.legal")

    assert sorted(message.deliveries.values_list("recipient", flat=True)) == ["archive", "legal"]


def test_subscription_by_content_gets_what_its_condition_holds_for(person):
    agents("planner", "small", "large")
    operations.subscribe("small", "claims", match="message.payload.amount < 100", by=person)
    operations.subscribe("large", "claims", match="message.payload.amount >= 100", by=person)

    message = send({"amount": 500}, topic="claims")

    assert [d.recipient for d in message.deliveries.all()] == ["large"]


def test_condition_without_an_answer_is_put_before_people_and_not_taken_for_no(person):
    agents("planner", "large")
    operations.subscribe("large", "claims", match="message.payload.amount >= 100", by=person)

    message = send({"text": "no amount"}, topic="claims")

    delivery = message.deliveries.get()
    assert (delivery.state, "gave no answer" in delivery.problem) == ("dead", True)
    assert inbox.take(reader("large")) == []


def test_specialism_reaches_agents_by_tag_and_by_capability():
    agents("planner")
    agents("lawyer", tags=("legal",))
    agents("clerk")
    version = Agent.objects.get(name="clerk").versions.first()
    version.capabilities = ["legal"]
    version.save(update_fields=["capabilities"])
    agents("cook", tags=("food",))

    message = send(specialism="legal")

    assert sorted(message.deliveries.values_list("recipient", flat=True)) == ["clerk", "lawyer"]


def test_new_routing_rule_works_for_the_next_message(person):
    agents("planner", "legal")
    before = send(topic="legal")
    operations.subscribe("legal", "legal", by=person)
    after = send(topic="legal")

    assert (before.readers, after.readers) == (0, 1)


def test_subscriptions_are_checked_and_told(person):
    agents("legal")
    made = operations.subscribe("legal", "claims.*", by=person)

    with pytest.raises(SubscriptionExists):
        operations.subscribe("legal", "claims.*", by=person)
    with pytest.raises(SubscriptionRefused, match="lower-case"):
        operations.subscribe("legal", "Claims/x", by=person)
    with pytest.raises(SubscriptionRefused, match="message only"):
        operations.subscribe("legal", "claims", match="event.x == 1", by=person)
    with pytest.raises(RecipientUnknown):
        operations.subscribe("nobody", "claims", by=person)
    with pytest.raises(WhyMissing):
        operations.unsubscribe(made.pk, by=person, reason=" ")
    operations.unsubscribe(made.pk, by=person, reason="merged")

    assert [e["topic"] for e in events("subscription.added")] == ["claims.*"]
    assert events("subscription.removed")[0]["reason"] == "merged"


# Once


def test_same_id_again_is_the_same_message_and_other_contents_are_refused():
    agents("planner", "legal")
    made = envelope({"text": "once"}, to="legal")
    first, second = accept(made, sender="user:x"), accept(made, sender="user:x")

    assert (first.is_new, second.is_new, second.message.pk) == (True, False, first.message.pk)
    assert Delivery.objects.count() == 1
    with pytest.raises(MessageConflict):
        accept(made.model_copy(update={"payload": {"text": "other"}}), sender="user:x")


def test_settled_message_is_gone_and_a_lost_lease_settles_nothing():
    agents("planner", "legal")
    send(to="legal")
    taken = inbox.take(reader("legal"))[0]
    Delivery.objects.update(held_until=Now() - timedelta(seconds=1))
    upkeep.take_back()

    with pytest.raises(DeliveryNotHeld):
        inbox.settle(reader("legal"), taken.delivery)
    Delivery.objects.update(due_at=Now())
    again = inbox.take(reader("legal", "other"))[0]
    inbox.settle(reader("legal", "other"), again.delivery)

    assert again.failures == 1
    assert inbox.take(reader("legal")) == []


@pytest.mark.django_db(transaction=True)
def test_two_consumers_at_once_get_one_delivery_between_them():
    agents("planner", "legal")
    for number in range(40):
        send({"text": number}, to="legal")
    got: list[object] = []
    ready = threading.Barrier(4)

    def read(name: str) -> None:
        ready.wait()
        while inbox.consume(reader("legal", name), lambda message: got.append(message.payload["text"])):
            continue
        connections.close_all()

    threads = [threading.Thread(target=read, args=(f"consumer-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(got) == list(range(40))


@pytest.mark.django_db(transaction=True)
def test_consumer_that_dies_between_delivery_and_receipt_leaves_neither():
    agents("planner", "legal")
    send({"text": "again"}, to="legal")

    class Died(BaseException):
        """As a killed process: nothing of its transaction is left."""

    def handle(message) -> None:
        Agent.objects.filter(name="legal").update(title="half done")
        raise Died

    with pytest.raises(Died):
        inbox.consume(reader("legal"), handle)

    assert Agent.objects.get(name="legal").title != "half done"
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.failures) == ("queued", 0)
    assert inbox.consume(reader("legal"), lambda message: None)


def test_what_a_handler_wrote_before_it_raised_is_undone_and_the_failure_counted():
    agents("planner", "legal")
    send(to="legal")

    def handle(message) -> None:
        Agent.objects.filter(name="legal").update(title="half done")
        raise ValueError("secret detail")

    assert inbox.consume(reader("legal"), handle)

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.failures, delivery.problem) == ("queued", 1, "Its reader raised ValueError.")
    assert Agent.objects.get(name="legal").title != "half done"


# Order and time


def test_critical_message_overtakes_a_thousand_queued():
    agents("planner", "legal")
    for number in range(1000):
        send({"text": number}, to="legal")
    send({"text": "fire"}, to="legal", priority="critical")

    assert texts(inbox.take(reader("legal"), limit=3)) == ["fire", 0, 1]


def test_thread_is_read_in_its_order_whatever_the_priorities():
    agents("planner", "legal")
    send({"text": 1}, to="legal", thread="case", priority="low")
    send({"text": 2}, to="legal", thread="case", priority="critical")
    send({"text": "other"}, to="legal")

    assert texts(inbox.take(reader("legal"), limit=10)) == ["other", 1]  # 2 waits until 1 has been dealt with
    assert inbox.take(reader("legal", "second"), limit=10) == []
    inbox.finish("legal-reader")
    assert texts(inbox.take(reader("legal", "second"), limit=10)) == [2]


def test_expired_message_is_never_delivered_counts_and_blocks_no_thread():
    agents("planner", "legal")
    send({"text": "late"}, to="legal", thread="case", ttl_s=1)
    send({"text": "in time"}, to="legal", thread="case")
    Delivery.objects.filter(message__ttl_s=1).update(expires_at=Now() - timedelta(seconds=1))

    assert texts(inbox.take(reader("legal"), limit=10)) == ["in time"]
    assert (upkeep.expire(), upkeep.expire()) == (1, 0)
    assert events("message.expired") == [{"count": 1, "agents": ["legal"]}]


# Dead letters


def kill(delivery: Delivery) -> None:
    for _ in range(inbox.MOST_FAILURES):
        Delivery.objects.filter(pk=delivery.pk).update(due_at=Now())
        taken = inbox.take(reader("legal"))[0]
        inbox.give_back(reader("legal"), taken.delivery, problem="It cannot be read.")


def test_message_that_fails_too_often_is_dead_and_a_person_puts_it_back(person):
    agents("planner", "legal")
    delivery = send({"text": "poison"}, to="legal").deliveries.get()
    kill(delivery)
    delivery.refresh_from_db()

    assert (delivery.state, delivery.failures, delivery.problem) == ("dead", 5, "It cannot be read.")
    assert inbox.take(reader("legal")) == []
    with pytest.raises(WhyMissing):
        operations.requeue([delivery.pk], by=person, reason="")
    operations.requeue([delivery.pk], by=person, reason="the reader was mended")
    with pytest.raises(NotDead):
        operations.requeue([delivery.pk], by=person, reason="twice")

    assert texts(inbox.take(reader("legal"))) == ["poison"]
    assert events("message.dead_lettered")[0]["delivery"] == delivery.pk
    assert events("message.requeued")[0]["reason"] == "the reader was mended"


def test_failed_message_is_handed_out_again_only_after_a_pause():
    agents("planner", "legal")
    send(to="legal")
    taken = inbox.take(reader("legal"))[0]

    assert inbox.give_back(reader("legal"), taken.delivery, problem="not now") == "queued"
    assert inbox.take(reader("legal")) == []


def test_replay_delivers_a_piece_of_work_again_in_order_to_those_who_had_it(person):
    agents("planner", "legal", "audit")
    for number in (1, 2):
        send({"text": number}, to="legal", correlation_id="case-7", thread="t")
    send({"text": "other"}, to="legal", correlation_id="case-8")
    inbox.take(reader("legal"), limit=10)
    inbox.finish("legal-reader")
    while inbox.consume(reader("legal"), lambda message: None):
        continue

    assert operations.replay("case-7", by=person, reason="debugging") == 2
    assert operations.replay("case-7", by=person, reason="for the auditor", to="audit") == 2

    for name in ("legal", "audit"):
        seen: list[object] = []
        while inbox.consume(reader(name), lambda message: seen.append(message.payload["text"])):  # noqa: B023
            continue
        assert seen == [1, 2]
    assert [e["deliveries"] for e in events("message.replayed")] == [2, 2]


# Circles


def test_two_agents_that_answer_each_other_for_ever_are_stopped():
    agents("ping", "pong")
    last = send({"text": "hello"}, agent_id="ping", to="pong")
    last = send({"text": "hello"}, agent_id="pong", to="ping", causation_id=str(last.uid))

    with pytest.raises(MessageLoop, match="ping → pong → ping"):
        send({"text": "hello"}, agent_id="ping", to="pong", causation_id=str(last.uid))

    assert [e["code"] for e in events("message.refused")] == ["message_loop"]
    assert Message.objects.count() == 2


def test_endless_chain_of_ever_new_messages_ends_at_the_limit_of_hops():
    agents("ping", "pong")
    last = send({"n": 0}, agent_id="ping", to="pong")
    for number in range(1, 33):
        sender, to = ("pong", "ping") if number % 2 else ("ping", "pong")
        last = send({"n": number}, agent_id=sender, to=to, causation_id=str(last.uid))

    with pytest.raises(TooManyHops, match="32 are allowed"):
        send({"n": 33}, agent_id="pong", to="ping", causation_id=str(last.uid))


def test_answer_stays_in_its_thread_and_piece_of_work():
    agents("planner", "legal")
    asked = send({"text": "?"}, to="legal", correlation_id="case", thread="t1")
    answer = send({"text": "!"}, agent_id="legal", to="planner", causation_id=str(asked.uid))

    assert (answer.thread, answer.correlation_id, answer.hops) == ("t1", "case", 1)


def wait(agent: str, awaited: str, correlation: str = "case") -> object:
    return inbox.receive(
        reader(agent, f"{agent}-{correlation}"),
        serial=1,
        wanted=Wanted(sender=awaited),
        within=60,
        correlation_id=correlation,
    )


def test_wait_that_closes_a_circle_is_refused_and_named():
    agents("a", "b", "c")
    assert wait("a", "b") is None
    assert wait("b", "c") is None
    assert wait("c", "a", "another case") is None  # another piece of work has its own tasks

    with pytest.raises(WaitCycle, match="c waits for a waits for b waits for c"):
        wait("c", "a")

    assert Expectation.objects.filter(correlation_id="case").count() == 2


def test_wait_gives_the_same_message_in_every_attempt_and_the_same_silence():
    agents("planner", "legal")
    legal = reader("legal", "task-5-0")
    ask = {"wanted": ANY, "within": 60.0, "correlation_id": "case"}
    send({"text": 1}, to="legal")
    first = inbox.receive(legal, serial=1, **ask)
    again = inbox.receive(legal, serial=1, **ask)
    assert inbox.receive(legal, serial=2, **ask) is None
    Expectation.objects.update(deadline_at=Now() - timedelta(seconds=1))

    assert first == again
    for _ in range(2):
        with pytest.raises(NoMessage):
            inbox.receive(legal, serial=2, **ask)
        send({"text": "too late for the second wait"}, to="legal")
    assert inbox.receive(legal, serial=3, **ask) is not None


# What is refused


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "top level"),
        ({"to": "legal", "topic": "x"}, "exactly one"),
        ({"to": "legal", "message_type": "SHOUT"}, "message_type"),
        ({"to": "legal", "confidence": 1.5}, "confidence"),
        ({"to": "legal", "priority": "urgent"}, "priority"),
        ({"to": "legal", "ttl_s": 0}, "ttl_s"),
        ({"to": "Legal!"}, "to"),
        ({"to": "legal", "surprise": 1}, "surprise"),
        ({"topic": "a..b"}, "topic"),
        ({"to": "legal", "payload": {"text": "x" * 70_000}}, "65,536"),
        ({"to": "legal", "timestamp": "yesterday"}, "timestamp"),
        ({"to": "legal", "agent_id": ""}, "agent_id"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_envelope_that_breaks_the_schema_is_refused_naming_the_field(fields, field):
    with pytest.raises(MessageRefused, match=field):
        envelope(**{"payload": {}, **fields})


def test_nothing_is_left_of_a_message_whose_sender_rolls_back():
    agents("planner", "legal")

    class Undo(Exception):
        pass

    def undone() -> None:
        with transaction.atomic():
            send(to="legal")
            raise Undo

    with pytest.raises(Undo):
        undone()

    assert (Message.objects.count(), Delivery.objects.count()) == (0, 0)
