"""Every route of the API against every kind of caller: a new route without a line here fails."""

from collections.abc import Iterator

import pytest
from django.test import Client

from approvals.models import Gate
from config.api.limits import buckets
from tests import people
from tests.api import Api, as_user, described

pytestmark = pytest.mark.django_db

REASON = {"reason": "because"}
AWAY = {"delegate": "ana", "starts_at": "2026-12-01T08:00:00Z", "ends_at": "2026-12-02T08:00:00Z"}
RULE = {"title": "x", "scope": "workflow", "condition": "true"}
HOURS = {"zone": "UTC", "days": [0], "from": "09:00", "to": "17:00"}
# What answers everybody about themselves alone, and says so when there is nothing.
OWN = (
    [], {"items": [], "next": None}, {"unread": 0, "notices": [], "before": None}, {"read": 0},
    {"alerts": [], "before": None},
)  # fmt: skip
# What tells everybody the same, and nothing of anybody's work.
CATALOGUES = {("GET", "/alerts/inputs")}
# Route: (body, what a stranger without any right gets). "own" routes answer everybody about themselves.
ROUTES: dict[tuple[str, str], tuple[object, set[int]]] = {
    ("GET", "/workflows"): (None, {200}),  # an empty list
    ("POST", "/workflows"): ({"source": "metadata: {name: a, title: A}"}, {403}),
    ("POST", "/workflows/validate"): ({"source": "x: 1"}, {403}),
    ("GET", "/workflows/{name}"): (None, {404}),
    ("GET", "/runs"): (None, {200}),  # an empty list
    ("POST", "/runs"): ({"workflow": "incident", "input": {}}, {404}),
    ("GET", "/runs/{run_id}"): (None, {404}),
    ("GET", "/runs/{run_id}/acts"): (None, {404}),
    ("POST", "/runs/{run_id}/acts/{act}"): (REASON, {404}),
    ("GET", "/tasks/{task}/acts"): (None, {404}),
    ("POST", "/tasks/{task}/acts/{act}"): (REASON, {404}),
    ("GET", "/workflows/{workflow}/acts"): (None, {404}),
    ("POST", "/workflows/{workflow}/acts/{act}"): (REASON, {404}),
    ("GET", "/agents/{agent}/acts"): (None, {200}),
    ("GET", "/agents/{name}/service"): (None, {404}),  # no agent has that name
    ("GET", "/workers/seen"): (None, {200}),  # an empty list
    ("POST", "/agents/{agent}/acts/{act}"): (REASON, {403}),
    ("GET", "/everything/acts"): (None, {200}),  # an empty list
    ("POST", "/everything/acts/{act}"): (REASON, {403}),
    ("GET", "/runs/{run_id}/tasks"): (None, {404}),
    ("GET", "/runs/{run_id}/at/{pos}"): (None, {404}),
    ("GET", "/runs/{run_id}/state"): (None, {404}),
    ("GET", "/runs/{run_id}/state/{key}"): (None, {404}),
    ("GET", "/runs/{run_id}/state/{key}/diff"): (None, {404}),
    ("GET", "/runs/{run_id}/checkpoints"): (None, {404}),
    ("GET", "/tasks/{task}/notes"): (None, {404}),
    ("POST", "/tasks/{task}/notes"): ({"text": "x"}, {404}),
    ("GET", "/tasks/{task}"): (None, {404}),
    ("GET", "/evaluations"): (None, {200}),
    ("GET", "/evaluations/datasets"): (None, {200}),
    ("POST", "/evaluations/datasets"): ({"name": "x", "agent": "assessor"}, {403}),
    ("GET", "/evaluations/datasets/{pk}/jsonl"): (None, {403}),
    ("POST", "/evaluations/items/{pk}/close"): (REASON, {403}),
    ("GET", "/evaluations/{pk}"): (None, {404}),
    ("GET", "/evaluations/{pk}/against/{other}"): (None, {404}),
    ("GET", "/evaluations/{pk}/cases"): (None, {403}),
    ("GET", "/quality/assessments"): (None, {403}),
    ("GET", "/quality/calibrations/{agent}"): (None, {404, 422}),
    ("POST", "/quality/calibrations/{agent}"): (None, {403}),
    ("GET", "/events"): (None, {403}),
    ("GET", "/gallery"): (None, {403}),
    ("GET", "/gallery/{name}"): (None, {403}),
    ("POST", "/gallery/{name}/install"): (REASON, {403}),
    ("GET", "/delegations"): (None, {403}),
    ("POST", "/delegations"): (AWAY, {403, 404, 409, 422}),
    ("DELETE", "/delegations/{delegation_id}"): (None, {403}),
    ("GET", "/notices"): (None, {200}),
    ("POST", "/notices/read"): ({}, {200}),
    ("POST", "/gates/{gate_id}/assignee"): ({"to": "ana"}, {404}),
    ("PUT", "/gates/calendars/{queue}"): (HOURS, {403, 404}),
    ("GET", "/gates"): (None, {403}),
    ("GET", "/gates/{gate_id}"): (None, {404}),
    ("POST", "/gates/{gate_id}/decisions"): ({"version": 1, "verdict": "approve"}, {404}),
    ("GET", "/stops"): (None, {200}),
    ("POST", "/stops"): ({"scope": "everything", "reason": "x"}, {403}),
    ("POST", "/stops/{stop_id}/lift"): (REASON, {403}),
    ("GET", "/runs/{run_id}/budgets"): (None, {404}),
    ("GET", "/workflows/{name}/budgets"): (None, {404}),
    ("GET", "/agents/{name}/budgets"): (None, {404}),  # no agent has that name
    ("GET", "/teams"): (None, {200}),
    ("GET", "/teams/{team}/acts"): (None, {404}),
    ("POST", "/teams/{team}/acts/{act}"): (REASON, {404}),
    ("GET", "/teams/{team}/budgets"): (None, {404}),
    ("GET", "/teams/{team}/changes"): (None, {404}),
    ("GET", "/signals"): (None, {403}),
    ("POST", "/signals"): ({"name": "x", "key": "", "data": {}}, {403}),
    ("GET", "/groups"): (None, {200, 403}),
    ("POST", "/groups"): ({"name": "g", "workflow": "incident", "signal": "x"}, {403, 404}),
    ("POST", "/groups/{name}/disable"): (REASON, {404}),
    ("POST", "/groups/{name}/enable"): (REASON, {404}),
    ("POST", "/groups/{name}/remove"): (REASON, {404}),
    ("POST", "/groups/{name}/replay"): ({"position": 0, **REASON}, {404}),
    ("GET", "/schedules"): (None, {200}),  # an empty list
    ("POST", "/schedules"): ({"name": "s", "workflow": "incident", "cron": "0 2 * * *", **REASON}, {404}),
    ("GET", "/schedules/preview"): (None, {403}),
    ("GET", "/schedules/upcoming"): (None, {200}),  # an empty list
    ("GET", "/schedules/{name}"): (None, {404}),
    ("POST", "/schedules/{name}/change"): ({"cron": "0 2 * * *", **REASON}, {404}),
    **{("POST", f"/schedules/{{name}}/{verb}"): (REASON, {404}) for verb in ("pause", "resume", "run", "remove")},
    ("POST", "/tasks/{task}/callback"): (REASON, {404}),
    ("POST", "/workers/agents"): ({"name": "x", "input": {}, "output": {}}, {403}),
    ("POST", "/workers/calls"): ({"agents": ["x"], "worker": "w"}, {404}),
    ("POST", "/workers/heartbeat"): ({"calls": []}, {403}),
    ("POST", "/workers/calls/{call}/settle"): ({"attempt": 1, "output": {}}, {403}),
    ("POST", "/workers/calls/{call}/release"): ({"attempt": 1}, {403}),
    **{
        ("GET", path): (None, {403})
        for path in (
            *("/messages", "/messages/bridges", "/messages/dead", "/messages/subscriptions", "/messages/{uid}"),
            "/privacy/memories",
        )
    },
    **{  # empty lists: a Reviewer sees agents, their tools, policies and prompts
        ("GET", path): (None, {200})
        for path in ("/policies", "/policies/matrix", "/privacy/violations", "/prompts", "/tools")
    },
    **{("GET", path): (None, {404}) for path in ("/policies/{policy}", "/prompts/{name}/{number}", "/tools/{tool}")},
    ("POST", "/messages"): ({"message_type": "TASK"}, {403}),
    ("POST", "/messages/dead/requeue"): ({"deliveries": [1], **REASON}, {403}),
    ("POST", "/messages/replay"): ({"correlation_id": "c", **REASON}, {403}),
    ("POST", "/messages/subscriptions"): ({"agent": "assessor", "topic": "alerts"}, {403}),
    ("POST", "/messages/subscriptions/{pk}/remove"): (REASON, {403}),
    ("POST", "/policies/check"): ({"agent": "assessor", "tool": "test.tool"}, {404}),
    ("POST", "/privacy/consents"): (
        {"subject": "c-7", "purpose": "care", "granted": True, "evidence": "form 7", **REASON},
        {403},
    ),
    ("POST", "/privacy/erasures"): ({"subject": "c-7", **REASON}, {403}),
    ("POST", "/privacy/memories/{pk}/{verb}"): (REASON, {403}),
    ("POST", "/privacy/reveals"): ({"sealed": "x", "purpose": "care", **REASON}, {422}),
    ("POST", "/prompts"): ({"name": "other", "title": "Other", "template": "Hello."}, {403}),
    ("POST", "/prompts/{name}"): ({"template": "Hello."}, {404}),
    ("PUT", "/prompts/{name}/{number}"): ({"template": "Hello.", "digest": "x"}, {404}),
    ("POST", "/prompts/{name}/{number}/evidence"): (
        {"suite": "s", "reference": "r", "score": 90, "passed": True},
        {404},
    ),
    ("POST", "/prompts/{name}/{number}/publish"): ({"digest": "x"}, {404}),
    ("POST", "/prompts/{name}/{number}/render"): ({"values": {}}, {404}),
    ("POST", "/prompts/{name}/{number}/send-back"): ({"digest": "x", "note": "again"}, {404}),
    ("POST", "/prompts/{name}/{number}/submit"): (None, {404}),
    ("GET", "/feedback"): (None, {200, 403}),
    ("POST", "/feedback"): ({"run": 1, "rating": 3, "comment": "x"}, {403, 404, 422}),
    ("GET", "/feedback/improvements"): (None, {200}),  # an empty list
    ("POST", "/feedback/improvements/{improvement_id}/close"): (REASON, {403, 404, 422}),
    ("GET", "/feedback/lessons"): (None, {200}),  # an empty list
    ("GET", "/feedback/lessons.jsonl"): (None, {403}),
    ("POST", "/feedback/lessons/{lesson_id}/choice"): ({"status": "accepted", **REASON}, {403, 404, 422}),
    ("POST", "/feedback/links"): ({"run": 1}, {403, 404, 422}),
    ("DELETE", "/feedback/links/{link_id}"): (None, {403, 404}),
    ("GET", "/feedback/patterns"): (None, {200}),  # an empty list
    ("GET", "/feedback/survey"): (None, {200}),  # an empty list
    ("POST", "/feedback/survey"): ({"score": 99}, {422}),  # everybody may say how satisfied they are, from 1 to 10
    ("POST", "/feedback/{feedback_id}/answer"): ({"status": "done", "text": "x"}, {403, 404, 422}),
    ("PUT", "/gates/promises/{queue}"): ({"minutes": 30, "share": 0.9}, {403, 404, 422}),
    ("POST", "/gates/{gate_id}/first"): ({"verdict": "approve"}, {404}),
    ("POST", "/gates/{gate_id}/take-back"): (REASON, {404, 422}),
    ("GET", "/proposals"): (None, {200}),  # an empty list
    ("POST", "/proposals/backtest"): ({"workflow": "incident", "step": "approve"}, {403, 404, 422}),
    ("GET", "/proposals/{proposal_id}"): (None, {403, 404}),
    ("POST", "/proposals/{proposal_id}/accept"): (REASON, {403, 404}),
    ("POST", "/proposals/{proposal_id}/decline"): (REASON, {403, 404}),
    ("GET", "/reviewing/looks"): (None, {200, 403}),
    ("POST", "/reviewing/looks/{look_id}"): ({"verdict": "approve"}, {403, 404, 422}),
    ("GET", "/reviewing/me"): (None, {200, 403}),
    ("GET", "/reviewing/oversight"): (None, {403}),
    ("GET", "/parts"): (None, {200}),  # an empty list
    ("GET", "/parts/{run_id}"): (None, {404}),
    ("GET", "/responsibilities"): (None, {403}),
    ("GET", "/responsibilities/on-call"): (None, {403}),
    ("GET", "/usability"): (None, {200}),
    ("POST", "/usability"): (
        {
            "title": "T",
            "held_on": "2026-11-01",
            "method": "m",
            "groups": ["a", "b"],
            "people": 2,
            "tries": 2,
            "done": 1,
        },
        {403},
    ),
    ("POST", "/usability/{round_id}/findings"): ({"text": "t", "severity": "minor"}, {403}),
    ("POST", "/usability/findings/{finding_id}/close"): ({"remedy": "r"}, {403}),
    ("POST", "/answers"): ({"reason": "because", "answers": [{"run": 1, "step": "a", "answer": {}}]}, {403}),
    ("POST", "/workers/token"): (None, {201}),
    ("GET", "/telemetry/events"): (None, {403}),
    ("GET", "/telemetry/figures"): (None, {403}),
    ("POST", "/telemetry/figures"): ({"name": "tickets_closed", "value": 1, "key": "t1"}, {403}),
    ("GET", "/telemetry/outlets"): (None, {403}),
    ("GET", "/alerts"): (None, {200}),  # an empty list
    ("GET", "/alerts/chronic"): (None, {200}),  # an empty list
    ("GET", "/alerts/inputs"): (None, {200}),  # what numbers there are, not what they say
    ("GET", "/alerts/rules"): (None, {200}),  # an empty list
    ("POST", "/alerts/rules/test"): (RULE, {200}),  # on what they may see: nothing
    ("GET", "/alerts/rules/{name}"): (None, {404}),
    ("POST", "/alerts/rules/{name}"): ({**RULE, **REASON}, {403}),
    ("POST", "/alerts/rules/{name}/remove"): (REASON, {403}),
    ("GET", "/alerts/silences"): (None, {200}),  # an empty list
    ("POST", "/alerts/silences"): ({"until": "2026-12-01T08:00:00Z", **REASON}, {403}),
    ("POST", "/alerts/silences/{silence_id}/end"): (None, {403}),
    ("GET", "/alerts/on-call"): (None, {200}),  # an empty list
    ("POST", "/alerts/on-call"): ({"people": ["ana"], "starts_on": "2026-12-01"}, {403}),
    ("GET", "/alerts/{alert_id}"): (None, {404}),
    ("POST", "/alerts/{alert_id}/acknowledge"): (REASON, {404}),
    ("POST", "/alerts/{alert_id}/assign"): ({"to": "ana"}, {404}),
    ("GET", "/alerts/{alert_id}/runbook"): (None, {404}),
    ("POST", "/alerts/{alert_id}/runbook/{step}"): (REASON, {404}),
    ("GET", "/metrics"): (None, {403}),
    ("GET", "/metrics/latency"): (None, {403}),
    ("GET", "/metrics/bottlenecks"): (None, {403}),
    ("GET", "/metrics/behind/{key}"): (None, {403, 422}),
    ("GET", "/metrics/objectives"): (None, {403}),
    ("PUT", "/metrics/objectives/{workflow}/{indicator}"): ({"share": 0.9}, {403}),
    ("DELETE", "/metrics/objectives/{workflow}/{indicator}"): (None, {403}),
    ("POST", "/metrics/baselines/{workflow}"): ({"minutes": 5, "source": "a stopwatch"}, {403}),
    ("GET", "/costs"): (None, {403}),
    ("GET", "/costs/statements/{month}"): (None, {403}),
    ("GET", "/costs/savings/{month}"): (None, {403}),
    ("GET", "/costs/tiers"): (None, {403}),
    ("PUT", "/costs/tiers/{team}"): ({"level": "silver", **REASON}, {403}),
    ("POST", "/costs/tiers/{team}/sponsor"): (None, {403}),
    ("POST", "/costs/worth"): ({"runs": 10, "by_hand": 5, "wage": 30, "per_run": 1}, {403}),
    ("GET", "/tokens"): (None, {401}),
    ("POST", "/tokens"): ({"name": "x", "scopes": ["read"]}, {401}),
    ("DELETE", "/tokens/{token_id}"): (None, {401}),
}

# The address itself is the permission; tests/integration/api/test_signals.py holds it to that.
PUBLIC = {("POST", "/callbacks/{token}"), ("POST", "/workers/answers/{token}")}


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


@pytest.fixture(scope="module")
def gate(module_db: None) -> Gate:
    return people.gate()


def path_to_real_things(path: str, gate: Gate) -> str:
    return path.format(
        name="incident", run_id=gate.run_id, task=gate.task_id, gate_id=gate.pk, stop_id=1, token_id=1,
        act="pause", pos=1, call=gate.task_id, key="shared.x", workflow="incident", agent="assessor", team=10**9,
        pk=1, other=2, number=1, uid="00000000-0000-4000-8000-000000000001", policy="incident", tool="test.tool",
        verb="delete", delegation_id=1, queue="oncall", improvement_id=1, lesson_id=1, link_id=1, feedback_id=1,
        proposal_id=1, look_id=1, alert_id=1, silence_id=1, step="look", indicator="success", month="2026-11",
        round_id=1, finding_id=1,
    )  # fmt: skip


def test_every_route_is_in_the_matrix() -> None:
    found = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in described()["paths"].items()
        for method in operations
    }

    assert found == set(ROUTES) | PUBLIC


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=" ".join)
def test_nobody_gets_in_without_credentials(method: str, path: str, gate: Gate) -> None:
    body, _ = ROUTES[method, path]

    response = Api(client=Client(enforce_csrf_checks=True)).call(method, path_to_real_things(path, gate), body)

    assert response.status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=" ".join)
def test_user_without_rights_learns_nothing(method: str, path: str, gate: Gate) -> None:
    body, expected = ROUTES[method, path]
    api = as_user(people.person("eve", "Reviewer"))

    response = api.call(method, path_to_real_things(path, gate), body)

    assert response.status_code in expected
    if response.status_code == 200 and (method, path) not in CATALOGUES:
        told = response.json()
        assert told in OWN or 0 in (told.get("n"), told.get("count"))  # figures, of nothing that they may see


def test_decider_of_another_queue_sees_nothing_of_this_one() -> None:
    gate = people.gate()
    api = as_user(people.person("eve", "Reviewer", decides=people.queue("elsewhere")))

    assert api.get("/gates").json() == []
    assert api.get(f"/gates/{gate.pk}").status_code == 404
    assert api.post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve"}).status_code == 404
