"""The run pages: who sees what, what each says, and how a run is started and steered."""

import re

import pytest
from django.test import Client

from approvals import access
from orchestrator import services
from orchestrator.models import Run, Workflow
from tests import factories

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Lind"))
    return client


@pytest.fixture
def analyst() -> Client:
    """Sees every run and may steer none."""
    found = Client()
    found.force_login(factories.user("paul", "Performance Analytics Specialist"))
    return found


@pytest.fixture
def reviewer() -> Client:
    """Sees no run at all."""
    found = Client()
    found.force_login(factories.user("rita", "Reviewer"))
    return found


@pytest.fixture
def incident() -> Workflow:
    return factories.workflow("incident", factories.incident_steps(), title="Incident response")


def text_of(response) -> str:  # type: ignore[no-untyped-def]
    """The page's words without mark-up."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


# The list


def test_runs_lists_newest_first_with_what_they_wait_for(manager, incident):
    factories.run(incident, statuses=["succeeded", "running"], title="First alert")
    factories.run(incident, statuses=["succeeded"] * 8, status="succeeded", title="Second alert")

    page = text_of(manager.get("/runs/"))

    assert page.index("Second alert") < page.index("First alert")
    assert "Working on Threat summary." in page
    assert "Done in" in page


def test_runs_of_invisible_workflows_are_not_listed(reviewer, incident):
    other = factories.workflow("other")
    factories.run(incident, title="Secret alert")
    factories.run(other, title="Open matter")
    user = factories.User.objects.get(username="rita")
    access.grant(to=user, permission="see_runs", on=other, by=None)

    page = text_of(reviewer.get("/runs/"))

    assert "Open matter" in page
    assert "Secret alert" not in page


def test_runs_without_any_right_is_refused(reviewer):
    assert reviewer.get("/runs/").status_code == 403


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"status": "running"}, {"Alpha", "Beta"}),
        ({"status": "people"}, {"Beta"}),
        ({"status": "failed"}, {"Gamma"}),
        ({"q": "lph"}, {"Alpha"}),
        ({"q": "corr-42"}, {"Gamma"}),
        ({"workflow": "incident"}, {"Alpha", "Beta", "Gamma"}),
        ({"workflow": "nowhere"}, set()),
        ({"q": "nothing like it"}, set()),
    ],
)
def test_runs_filters_narrow_the_list(manager, incident, query, shown):
    factories.run(incident, statuses=["running"], title="Alpha")
    factories.run(incident, statuses=["succeeded", "waiting"], title="Beta")
    factories.run(incident, statuses=["failed"], status="failed", title="Gamma", correlation_id="corr-42")

    page = text_of(manager.get("/runs/", query))

    assert {name for name in ("Alpha", "Beta", "Gamma") if name in page} == shown


def test_runs_search_by_number_finds_that_run(manager, incident):
    wanted = factories.run(incident, title="Alpha")
    factories.run(incident, title="Beta")

    page = text_of(manager.get("/runs/", {"q": f"#{wanted.pk}"}))

    assert "Alpha" in page
    assert "Beta" not in page


def test_runs_pages_follow_each_other_without_gap_or_repeat(manager):
    made = factories.workflow("small", factories.steps("only"))
    every = {factories.run(made).pk for _ in range(35)}

    first = manager.get("/runs/")
    older = re.search(r"\?before=(\d+)", first.content.decode())
    assert older is not None
    second = manager.get("/runs/", {"before": older[1]})

    pages = [set(map(int, re.findall(r'id="run-(\d+)"', page.content.decode()))) for page in (first, second)]
    assert pages[0] | pages[1] == every
    assert not pages[0] & pages[1]


def test_runs_query_count_does_not_grow_with_the_list(manager, incident, django_assert_max_num_queries):
    for number in range(25):
        factories.run(incident, statuses=["succeeded", "running"], title=f"Run {number}")
    manager.get("/runs/")

    with django_assert_max_num_queries(21):  # nine of them for the frame: badges, bell, alerts, stops
        manager.get("/runs/")


def test_runs_hostile_title_is_inert_and_revealed(manager, incident):
    factories.run(incident, title="<img src=x onerror=alert(1)> pay\u202epal")

    page = manager.get("/runs/").content.decode()

    assert "<img" not in page
    assert "U+202E" in page
    assert "\u202e" not in page


# One run


@pytest.mark.parametrize("tab", ["graph", "timeline", "narrative", "files", "input", "nonsense"])
def test_run_page_shows_each_tab(manager, incident, tab):
    created = factories.run(incident, statuses=["succeeded", "running"])
    factories.artifact(created)
    factories.event(created, "run.started", actor="user:maria", tasks=8)

    assert manager.get(f"/runs/{created.pk}/?tab={tab}").status_code == 200
    partial = manager.get(f"/runs/{created.pk}/?tab={tab}&part=tab", headers=HTMX).content.decode()

    assert 'id="run-tab"' in partial
    assert "<html" not in partial


def test_run_that_may_not_be_seen_does_not_exist(reviewer, incident):
    created = factories.run(incident)

    for path in ("", "pause/", "files/1/"):
        assert reviewer.get(f"/runs/{created.pk}/{path}").status_code == 404
    assert reviewer.get("/runs/999999/").status_code == 404


def test_run_head_counts_tokens_cost_and_progress(manager, incident):
    created = factories.run(incident, statuses=["succeeded", "running"])
    factories.finish(factories.task(created), {"ok": True}, tokens=1000, cost=0.21)

    page = text_of(manager.get(f"/runs/{created.pk}/?part=head", headers=HTMX))

    assert "1,250" in page
    assert "$0.21" in page
    assert "1 of 8 steps" in manager.get(f"/runs/{created.pk}/?part=head", headers=HTMX).content.decode()


def test_run_task_panel_fences_and_defuses_the_agents_output(manager, incident):
    created = factories.run(incident, statuses=["succeeded", "running"])
    hostile = {"summary": "# Fine\n\n![x](https://evil.example/p.png)\n\n<script>alert(1)</script>", "fact": "a\u200bb"}
    factories.finish(factories.task(created), hostile, confidence=0.52)

    page = manager.get(f"/runs/{created.pk}/?task=intake").content.decode()

    assert "<img" not in page
    assert "<script>alert" not in page
    assert "U+200B" in page
    assert 'class="untrusted"' in page
    assert "52\xa0%" in page


def test_run_narrative_tells_people_apart_and_keeps_their_reason(manager, incident):
    created = factories.run(incident, statuses=["running"])
    factories.event(created, "run.paused", actor="user:ana", reason="the vendor asked")

    page = manager.get(f"/runs/{created.pk}/?tab=narrative").content.decode()

    assert "by-person" in page
    assert "paused the run" in page
    assert "the vendor asked" in page


def test_run_page_query_count_does_not_grow_with_its_tasks(manager, django_assert_max_num_queries):
    small = factories.workflow("few", factories.steps("a", "b"))
    large = factories.workflow("many", factories.steps(*[f"s{i}" for i in range(400)]))
    runs = [
        factories.run(small, statuses=["running"]),
        factories.run(large, statuses=["succeeded"] * 300 + ["running"]),
    ]
    for created in runs:
        manager.get(f"/runs/{created.pk}/")

    for created in runs:
        with django_assert_max_num_queries(31):  # nine of them for the frame: badges, bell, alerts, stops
            manager.get(f"/runs/{created.pk}/")


# Files


def test_artifact_is_downloaded_as_text_and_never_runs(manager, incident):
    created = factories.run(incident, statuses=["succeeded"])
    file = factories.artifact(created, name="../evil.html", body=b"<script>alert(1)</script>", media_type="text/html")

    response = manager.get(f"/runs/{created.pk}/files/{file.pk}/")

    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment")
    assert "/" not in response["Content-Disposition"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response.content == b"<script>alert(1)</script>"


def test_artifact_of_another_run_is_not_found(manager, incident):
    mine, other = factories.run(incident, statuses=["succeeded"]), factories.run(incident, statuses=["succeeded"])
    file = factories.artifact(other)

    assert manager.get(f"/runs/{mine.pk}/files/{file.pk}/").status_code == 404


# Overrides


def test_override_dialog_says_beforehand_what_it_will_do(manager, incident):
    created = factories.run(incident, statuses=["succeeded", "running", "ready"])

    page = text_of(manager.get(f"/act/run/{created.pk}/cancel/", headers=HTMX))

    assert "1 running step is interrupted" in page
    assert "6 steps that have not started never will." in page
    assert Run.objects.get(pk=created.pk).status == "running"


def test_override_pause_and_resume_change_the_run_and_are_told(manager, incident):
    created = factories.run(incident, statuses=["ready"])

    paused = manager.post(f"/act/run/{created.pk}/pause/", {"reason": "wait"}, follow=True)
    assert Run.objects.get(pk=created.pk).status == "paused"
    resumed = manager.post(f"/act/run/{created.pk}/resume/", {"reason": "go on"}, headers=HTMX)

    assert Run.objects.get(pk=created.pk).status == "running"
    assert f"Run #{created.pk} is paused." in text_of(paused)
    assert resumed["HX-Redirect"] == f"/runs/{created.pk}/"
    story = text_of(manager.get(f"/runs/{created.pk}/?tab=narrative"))
    assert "Maria Lind paused the run" in story


def test_override_without_a_reason_changes_nothing(manager, incident):
    created = factories.run(incident, statuses=["ready"])

    response = manager.post(f"/act/run/{created.pk}/cancel/", {"reason": "  "})

    assert response.status_code == 422
    assert Run.objects.get(pk=created.pk).status == "running"


def test_override_that_comes_too_late_is_answered_with_one_sentence(manager, incident):
    created = factories.run(incident, statuses=["succeeded"] * 8, status="succeeded")

    response = manager.post(f"/act/run/{created.pk}/pause/", {"reason": "wait"}, headers=HTMX)

    assert response.status_code == 409
    assert "The run has ended meanwhile" in text_of(response)


def test_override_is_neither_shown_to_nor_taken_from_who_may_only_see(analyst, incident):
    created = factories.run(incident, statuses=["ready"])

    assert "Pause…" not in text_of(analyst.get(f"/runs/{created.pk}/"))
    assert analyst.post(f"/act/run/{created.pk}/pause/", {"reason": "wait"}).status_code == 403
    assert Run.objects.get(pk=created.pk).status == "running"


def test_override_without_csrf_token_is_refused(incident):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.user("eva", "Workflow Orchestration Manager"))
    created = factories.run(incident, statuses=["ready"])

    assert strict.post(f"/act/run/{created.pk}/pause/", {"reason": "wait"}, headers=HTMX).status_code == 403
    assert Run.objects.get(pk=created.pk).status == "running"


def test_override_by_get_changes_nothing(manager, incident):
    created = factories.run(incident, statuses=["ready"])

    for verb in ("pause", "resume", "cancel", "retry"):
        manager.get(f"/act/run/{created.pk}/{verb}/", {"reason": "because"})

    assert Run.objects.get(pk=created.pk).status == "running"


# Starting


@pytest.fixture
def published() -> Workflow:
    made = factories.workflow("refund", factories.steps("check"), title="Refund")
    schema = {"type": "object", "required": ["order"], "properties": {"order": {"type": "string", "pattern": "^O-"}}}
    factories.publish(made, factories.steps("check"), schema=schema)
    return made


def test_start_form_has_the_fields_of_the_input_schema(manager, published):
    page = manager.get("/workflows/refund/start/").content.decode()

    assert 'name="input.order"' in page


def test_start_form_chooses_nothing_that_nobody_chose(manager):
    made = factories.workflow("refund", factories.steps("check"), title="Refund")
    level = {"enum": ["low", "high"], "type": "string"}
    pace = {**level, "default": "high"}
    schema = {"type": "object", "required": ["level", "pace"], "properties": {"level": level, "pace": pace}}
    factories.publish(made, factories.steps("check"), schema=schema)

    page = manager.get("/workflows/refund/start/").content.decode()

    level, pace = (page[page.index(f'name="input.{name}"') :].partition("</select>")[0] for name in ("level", "pace"))
    assert "selected" not in level
    assert '<option value="">Choose…</option>' in level
    assert '<option value="high" selected>' in pace
    assert "Choose…" not in pace


def test_start_twice_with_the_same_form_makes_one_run(manager, published):
    form = {"input.order": "O-1", "key": "form-1"}

    first = manager.post("/workflows/refund/start/", form)
    second = manager.post("/workflows/refund/start/", form)

    created = Run.objects.get()
    assert first.url == second.url == f"/runs/{created.pk}/"
    assert created.input == {"order": "O-1"}
    assert created.started_by.username == "maria"


@pytest.mark.parametrize(
    "form",
    [{"input.order": "X-1"}, {"input.order": ""}, {"as": "json", "json": "{"}],
    ids=["invalid", "missing", "no-json"],
)
def test_start_with_bad_input_keeps_what_was_typed_and_starts_nothing(manager, published, form):
    response = manager.post("/workflows/refund/start/", form)

    assert response.status_code == 422
    assert not Run.objects.exists()
    assert form.get("input.order", "") in response.content.decode()


def test_start_is_refused_to_who_may_only_see(analyst, published):
    assert analyst.post("/workflows/refund/start/", {"input.order": "O-1"}).status_code == 403
    assert "Start a run" not in text_of(analyst.get("/runs/"))
    assert not Run.objects.exists()


def test_started_run_is_listed_as_ready_for_a_worker(manager, published):
    services.start_run(workflow="refund", input={"order": "O-1"}, by=None, actor="feed")

    assert "1 step is ready and waits for a free worker." in text_of(manager.get("/runs/"))
