"""Acts on messages: previewed by what then does it, with a right, a reason, an event, and undo where it can be."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.models import Delivery, Subscription
from orchestrator import acts
from orchestrator.acts import ActImpossible, PlanChanged, Target
from orchestrator.errors import ReasonMissing
from orchestrator.models import Event
from tests import factories, people
from tests.api import as_user
from tests.messages import agents, send

pytestmark = pytest.mark.django_db
ALL = Target("everything")


@pytest.fixture
def ina() -> User:
    agents("planner", "legal", "finance")
    return people.person("ina", "System Integration Engineer")


def do(name: str, by: User, reason: str = "because", digest: str = "", **answers: Any) -> acts.Done:
    return acts.perform(acts.find("everything", name), ALL, by=by, reason=reason, answers=answers, digest=digest)


def undone(done: acts.Done, by: User) -> acts.Done:
    assert done.undo is not None
    return do(done.undo.name, by, **done.undo.answers)


def dead(**given: Any) -> Delivery:
    letter = send({"text": "x"}, to="legal", **given).deliveries.get()
    Delivery.objects.filter(pk=letter.pk).update(state="dead", failures=5, problem="It broke.")
    return letter


def state(letter: Delivery) -> str:
    letter.refresh_from_db()
    return letter.state


def test_letters_are_given_up_and_that_is_taken_back(ina):
    letter = dead()

    done = do("drop-letters", ina, reason="nobody wants it", deliveries=[letter.pk])
    assert state(letter) == "expired"
    again = undone(done, ina)
    assert state(letter) == "dead"
    undone(again, ina)
    assert state(letter) == "expired"

    told = list(Event.objects.filter(kind__startswith="message.").order_by("id").values_list("kind", "actor"))
    assert told[-3:] == [(f"message.{kind}", "user:ina") for kind in ("dropped", "restored", "dropped")]
    assert Event.objects.filter(kind="message.dropped").order_by("id")[0].data["reason"] == "nobody wants it"


def test_what_merely_expired_becomes_no_dead_letter(ina):
    letter = send({"text": "x"}, to="legal").deliveries.get()
    Delivery.objects.update(state="expired")

    with pytest.raises(ActImpossible):
        do("restore-letters", ina, deliveries=[letter.pk])


def test_preview_names_each_letter_and_binds_to_it(ina):
    one, two = dead(), dead()
    act, asked = acts.find("everything", "requeue-letters"), {"deliveries": [one.pk, two.pk]}
    seen = acts.preview(act, ALL, asked)

    assert [str(one.pk) in " ".join(seen.plan.lines), str(two.pk) in " ".join(seen.plan.lines)] == [True, True]
    assert seen.plan.warnings
    Delivery.objects.filter(pk=two.pk).update(failures=6)
    with pytest.raises(PlanChanged):
        do("requeue-letters", ina, digest=seen.digest, **asked)
    Delivery.objects.filter(pk=two.pk).update(state="queued")
    with pytest.raises(ActImpossible):
        do("requeue-letters", ina, **asked)
    assert state(one) == "dead"  # all or none
    assert do("requeue-letters", ina, deliveries=[one.pk]).undo is None
    assert state(one) == "queued"


def test_replay_says_to_whom_and_is_bound_to_what_there_is(ina):
    send({"n": 1}, to="legal", correlation_id="case")
    act, asked = acts.find("everything", "replay-messages"), {"correlation_id": "case"}
    seen = acts.preview(act, ALL, asked)

    assert seen.plan.lines == ("1 message, once more.", "To: legal.")
    send({"n": 2}, to="finance", correlation_id="case")
    with pytest.raises(PlanChanged):
        do("replay-messages", ina, digest=seen.digest, **asked)
    assert do("replay-messages", ina, to="finance", **asked).data["deliveries"] == 2
    for missing in ({"correlation_id": "none"}, {**asked, "to": "nobody"}):
        with pytest.raises(ActImpossible):
            do("replay-messages", ina, **missing)


def test_rules_are_made_stopped_and_removed_and_each_is_taken_back(ina):
    rule = {"agent": "legal", "topic": "claims.*", "match": "message.payload.n > 1"}
    made = do("listen", ina, **rule)
    stopped = do("pause-listening", ina, **rule)
    assert send({"n": 2}, topic="claims.x").readers == 0
    undone(stopped, ina)
    assert send({"n": 2}, topic="claims.x").readers == 1
    removed = do("unlisten", ina, **rule)
    assert not Subscription.objects.exists()
    undone(removed, ina)
    assert Subscription.objects.get().match == rule["match"]
    undone(made, ina)
    assert not Subscription.objects.exists()

    told = Event.objects.filter(kind__startswith="subscription.").order_by("id")
    kinds = ["added", "disabled", "enabled", "removed", "added", "removed"]
    assert [(one.kind, one.data["reason"]) for one in told] == [(f"subscription.{kind}", "because") for kind in kinds]


def test_rule_that_cannot_be_made_is_refused_before_anything_is_done(ina):
    for flaw in ({"topic": "Bad Topic"}, {"topic": "claims", "match": "nonsense("}, {"topic": "x", "agent": "nobody"}):
        with pytest.raises(ActImpossible):
            acts.preview(acts.find("everything", "listen"), ALL, {"agent": "legal", **flaw})
    with pytest.raises(ReasonMissing):
        do("listen", ina, reason=" ", agent="legal", topic="claims")
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(("role", "may"), [("System Integration Engineer", True), ("Auditor", False)])
def test_rest_previews_and_does_it_for_who_may(ina, role, may):
    letter, api = dead(), as_user(factories.user("sam", role))
    asked = {"answers": {"deliveries": [letter.pk]}}

    seen = api.post("/everything/acts/drop-letters?preview=true", asked)
    done = api.post("/everything/acts/drop-letters", {**asked, "reason": "over"})

    assert (seen.status_code, done.status_code) == ((200, 200) if may else (403, 403))
    assert state(letter) == ("expired" if may else "dead")
    if may:
        assert (seen.json()["done"], done.json()["undo"]["name"]) == (False, "restore-letters")
