"""Pages, acts and REST of tools and policies."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from agents.models import PolicyVersion, Revocation
from agents.policies import queries
from orchestrator.models import Event
from tests import people, toolbox
from tests.toolbox import policy

pytestmark = pytest.mark.django_db(transaction=True)
HELD = "agent: tool-user, tool: test.lookup, scopes: [customers]"
PAY = "agent: tool-user, tool: test.pay, scopes: [money], when: arguments.amount < 5"


def client(name: str = "dev", role: str = "Agent Development Specialist") -> Client:
    found = Client()
    found.force_login(people.person(name, role), backend="django.contrib.auth.backends.ModelBackend")
    return found


def act(by: Client, name: str, scope: str = "everything", address: str = "all", **answers: Any) -> Any:
    body = {"reason": "because", "answers": answers}
    return by.post(f"/api/v1/{scope}/acts/{name}" if scope == "everything" else f"/api/v1/agents/{address}/acts/{name}",
                   body, content_type="application/json")  # fmt: skip


def test_a_policy_is_proposed_by_one_and_approved_by_another() -> None:
    author, other = client(), client("eng", "System Integration Engineer")
    text = policy(HELD).replace("two_people: false", "two_people: true")
    assert act(author, "propose-policy", source=text).json()["data"]["state"] == "proposed"
    assert queries.matrix() == []

    own = act(author, "approve-policy", policy="test", number=1)
    assert (own.status_code, own.json()["error"]["code"]) == (403, "separation_of_duties")
    assert act(other, "approve-policy", policy="test", number=1).status_code == 200
    assert [cell.entitlement.tool for cell in queries.matrix()] == ["test.lookup"]
    kinds = list(Event.objects.filter(kind__startswith="policy.").order_by("id").values_list("kind", flat=True))
    assert kinds == ["policy.proposed", "policy.activated"]


def test_dropping_the_second_person_needs_one() -> None:
    author, other = client(), client("eng", "System Integration Engineer")
    strict = policy(HELD).replace("two_people: false", "two_people: true")
    act(author, "propose-policy", source=strict)
    act(other, "approve-policy", policy="test", number=1)

    assert act(author, "propose-policy", source=policy(HELD)).json()["data"]["state"] == "proposed"
    assert act(author, "approve-policy", policy="test", number=2).status_code == 403


def test_a_policy_whose_tests_fail_is_not_stored() -> None:
    flawed = policy(HELD, tests="  - {name: large, agent: tool-user, tool: test.lookup, expect: deny}")
    answer = act(client(), "propose-policy", source=flawed)

    assert answer.status_code == 422
    assert "expects deny" in answer.json()["error"]["message"]
    assert not PolicyVersion.objects.exists()


def test_an_entitlement_unused_for_ninety_days_is_listed_taken_away_and_given_back() -> None:
    toolbox.allow(HELD)
    assert queries.unused() == []
    PolicyVersion.objects.update(decided_at=timezone.now() - timedelta(days=91))
    assert [cell.entitlement.id for cell in queries.unused()] == ["e1"]
    page = client("viewer").get("/agents/matrix/")
    assert b"that nobody has used for 90 days" in page.content

    answers = {"policy": "test", "entitlement": "e1"}
    done = act(client("b"), "revoke-entitlement", "agent", "tool-user", **answers)
    if done.status_code == 404:
        from agents.registry import sync

        sync()
        done = act(client("c"), "revoke-entitlement", "agent", "tool-user", **answers)
    assert done.status_code == 200, done.content
    assert done.json()["undo"]["name"] == "restore-entitlement"
    assert Revocation.objects.get().reason == "because"
    assert queries.unused() == []
    assert act(client("d"), "restore-entitlement", "agent", "tool-user", **answers).status_code == 200
    assert not Revocation.objects.exists()


def test_who_may_not_edit_policies_changes_nothing() -> None:
    reader = client("ana", "Performance Analytics Specialist")
    assert act(reader, "propose-policy", source=policy(HELD)).status_code == 403
    assert act(reader, "limit-tool", tool="test.pay", rate=1).status_code == 403


def test_a_call_can_be_judged_without_being_made() -> None:
    toolbox.allow(HELD)
    asked = {"agent": "tool-user", "tool": "test.lookup", "arguments": {"text": "a"}}
    by = client()
    assert by.post("/api/v1/policies/check", asked, content_type="application/json").json()["allowed"] is True
    asked["agent"] = "tool-apart"
    said = by.post("/api/v1/policies/check", asked, content_type="application/json").json()
    assert (said["allowed"], said["code"]) == (False, "no_entitlement")
    assert toolbox.done == []


@pytest.mark.parametrize(
    "path", ["tools/", "tools/test.pay/", "tools/test.sandboxed/", "policies/", "policies/test/", "matrix/"]
)
def test_pages_show_what_there_is(path: str) -> None:
    toolbox.allow(
        HELD, "agent: tool-user, tool: test.pay, scopes: [money], when: arguments.amount < 5", approval="{high: leads}"
    )
    page = client().get(f"/agents/{path}")
    assert page.status_code == 200
    assert b"test" in page.content


def test_pages_show_nothing_yet() -> None:
    page = client()
    assert b"Until one is in force every call of a tool is denied" in page.get("/agents/policies/").content
    assert b"No agent may call any tool" in page.get("/agents/matrix/").content


def test_the_fuzz_command_judges_what_is_in_force() -> None:
    toolbox.allow(HELD, PAY)
    out = StringIO()
    call_command("fuzz_policies", count=500, seed=3, stdout=out)
    assert "0 escalations" in out.getvalue()

    toolbox.allow(
        "agent: tool-user, tool: test.lookup, when: 'scopes.all(x, x == \"customers\")', scopes: [customers]",
        name="other",
    )
    with pytest.raises(CommandError, match="judged twice"):
        call_command("fuzz_policies", count=100, seed=3, stdout=out, stderr=StringIO())
