"""Dialogs of acts: one that opens blames nobody, and one that would change nothing is refused."""

import pytest
from django.test import Client

from orchestrator import act_views, acts, forms
from orchestrator.models import Event, Run
from tests import factories
from tests.api import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


@pytest.fixture
def run() -> Run:
    factories.agent("reader")
    made = factories.workflow(
        "flow", factories.steps("first", "second", agents={"first": "reader", "second": "reader"})
    )
    created = factories.run(made, statuses=["succeeded", "running"])
    factories.event(created, "run.started", actor="user:maria", tasks=2)
    return created


def form_of(page: str) -> str:
    """Without the shell, which has places for alerts of its own."""
    return page[page.index('<form id="act-form"') :].partition("</form>")[0]


def test_dialog_that_asks_for_something_opens_without_an_error(manager, run):
    page = manager.get(f"/act/run/{run.pk}/checkpoint/").content.decode()

    assert 'role="alert"' not in form_of(page)
    assert "is a required property" not in page
    assert "Fill in what is asked above; then this says what will happen." in page


def test_dialog_that_is_sent_without_what_it_asks_for_says_so(manager, run):
    answer = manager.post(f"/act/run/{run.pk}/checkpoint/", {"reason": "why"})

    assert answer.status_code == 422
    assert 'role="alert"' in form_of(answer.content.decode())


@pytest.mark.parametrize(("name", "words"), [("priority", "has priority 0 already"), ("deadline", "has no deadline")])
def test_act_that_would_change_nothing_is_refused(manager, run, name, words):
    shown = manager.get(f"/act/run/{run.pk}/{name}/").content.decode()
    answer = manager.post(f"/act/run/{run.pk}/{name}/", {"reason": "why", "input.priority": "0"})

    assert words in shown
    assert answer.status_code == 409
    assert not Event.objects.filter(run_id=run.pk, kind=f"run.{name}_changed").exists()


def test_number_field_says_its_bounds_and_unbounded_ones_say_nothing():
    schema = {"properties": {"a": {"type": "integer", "minimum": 0, "maximum": 900}, "b": {"type": "integer"}}}

    told = {field.name: field.help for field in forms.fields_of(schema)}

    assert told == {"a": "From 0 to 900.", "b": ""}


def test_page_of_agents_out_of_service_says_when_there_are_none(manager):
    assert "Every agent is in service" in manager.get("/out-of-service/").content.decode()
    assert (
        "Every agent is in service"
        not in manager.get("/out-of-service/", headers={"HX-Request": "true"}).content.decode()
    )


@pytest.mark.parametrize(
    ("act", "words"),
    [("redirect", "No other agent takes its input"), ("migrate", "The workflow has no other version.")],
)
def test_act_without_anything_to_choose_from_says_so(manager, run, act, words):
    address = f"task/{run.pk << 20 | 1}" if act == "redirect" else f"run/{run.pk}"

    answer = manager.get(f"/act/{address}/{act}/")

    assert answer.status_code == 200
    assert words in form_of(answer.content.decode()).replace("&#x27;", "'")


def test_redirect_is_not_offered_where_no_other_agent_fits(manager, run):
    assert "Redirect…" not in manager.get(f"/runs/{run.pk}/?task=second").content.decode()
    assert (
        as_user(factories.User.objects.get(username="maria")).get(f"/tasks/{run.pk << 20 | 1}/acts").status_code == 200
    )


def test_act_chooses_nothing_that_nobody_chose(manager, run):
    factories.agent("writer")

    form = form_of(manager.get(f"/act/task/{run.pk << 20 | 1}/redirect/").content.decode())

    assert '<option value="">Choose…</option>' in form
    assert "selected" not in form
    assert 'name="input.agent" required' in form
    assert "Fill in what is asked above; then this says what will happen." in form


def test_preview_of_an_act_that_is_half_filled_in_blames_nobody(manager, run):
    address = f"/act/run/{run.pk}/checkpoint/?preview=1"

    shown = manager.post(address, {"reason": "", "input.name": ""}).content.decode()

    assert "Fill in what is asked above; then this says what will happen." in shown
    assert "missing or cannot be read" not in shown


def test_undo_is_offered_only_to_whom_it_is_open(manager, run):
    done = acts.Done(acts.Target("run", run), "Paused.", undo=acts.Undo("resume"))

    assert act_views.undo_address(done, "why", factories.User.objects.get(username="maria"))
    assert act_views.undo_address(done, "why", factories.user("nora", "Auditor")) == ""
