"""The gallery of patterns, its four questions, and a page of help for each."""

from html import unescape

import pytest
from django.test import Client

from config.templatetags.watchkeeper import with_code
from orchestrator import acts
from orchestrator.patterns import plain, tags
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


def test_gallery_shows_every_pattern_with_its_trade_offs(manager):
    page = unescape(manager.get("/patterns/").content.decode())
    page = page.replace("<code>", "`").replace("</code>", "`")

    for entry in plain.entries():
        assert f'href="/patterns/{entry.name}/"' in page
        assert entry.help.governance in page
    assert "This fits:" not in page


def test_four_answers_recommend_one_pattern_with_reasons(manager):
    page = unescape(manager.get("/patterns/?linear=no&parallel=yes&dynamic=no&collaboration=yes").content.decode())

    assert "This fits:" in page
    assert '<a class="link" href="/patterns/concurrent_sync/"><strong>' in page
    assert "what one finds must reach the others" in page


@pytest.mark.parametrize("query", ["linear=yes", "linear=yes&parallel=yes&dynamic=maybe&collaboration=no"])
def test_answers_that_are_missing_or_odd_are_asked_for(manager, query):
    page = manager.get(f"/patterns/?{query}").content.decode()

    assert "Answer all four questions" in page
    assert "This fits:" not in page


def test_page_of_a_pattern_has_its_help_and_its_template(manager):
    page = unescape(manager.get("/patterns/swarm/").content.decode())

    assert "cannot go on past 24 hours" in page
    assert "pattern: swarm" in page
    assert 'data-copy="template"' in page


def test_unknown_pattern_is_not_found(manager):
    assert manager.get("/patterns/nothing/").status_code == 404


def test_workflows_page_and_palette_lead_to_the_patterns(manager):
    assert 'href="/patterns/"' in manager.get("/workflows/").content.decode()
    assert 'href="/patterns/"' in manager.get("/search/?q=patt").content.decode()


def test_who_may_see_no_runs_sees_no_patterns(client):
    client.force_login(factories.user("nobody"))

    assert client.get("/patterns/").status_code == 403
    assert client.get("/patterns/swarm/").status_code == 403


@pytest.mark.parametrize("use", tags.USES)
def test_gallery_shows_only_what_carries_the_tag(manager, use):
    page = unescape(manager.get("/patterns/", {"tag": use}).content.decode())
    cards = page[page.index('aria-label="All patterns"') : page.index('id="trade-title"')]

    shown = {entry.name for entry in plain.entries() if f'href="/patterns/{entry.name}/"' in cards}
    assert shown == {entry.name for entry in plain.entries() if use in entry.tags}
    assert 0 < len(shown) < len(list(plain.entries()))


def test_unknown_tag_says_so(manager):
    assert "No template carries this tag" in manager.get("/patterns/?tag=nonsense").content.decode()


def test_page_of_a_pattern_with_two_templates_shows_both(manager):
    page = unescape(manager.get("/patterns/choreography/").content.decode())

    assert "name: stock-on-order" in page
    assert "name: invoice-on-order" in page


def test_workflows_are_filtered_by_their_tags(manager):
    for name, found in (("one", ["pipeline", "alpha"]), ("two", ["risk-based"])):
        made = factories.workflow(name)
        made.current_version.definition = {"metadata": {"name": name, "tags": found}}
        made.current_version.save(update_fields=["definition"])

    every = manager.get("/workflows/").content.decode()
    page = manager.get("/workflows/?tag=pipeline").content.decode()

    assert 'href="/workflows/one/"' in page
    assert 'href="/workflows/two/"' not in page
    assert [every.index(f"?tag={name}") for name in ("pipeline", "risk-based", "alpha")] == sorted(
        every.index(f"?tag={name}") for name in ("pipeline", "risk-based", "alpha")
    )
    assert "No workflow carries this tag" in manager.get("/workflows/?tag=nonsense").content.decode()


def test_recommendation_can_be_kept_with_a_workflow_that_one_may_publish(manager, client):
    factories.workflow("flow", title="My flow")
    address = "/patterns/?linear=no&parallel=yes&dynamic=no&collaboration=yes"

    assert "/act/workflow/flow/choose-pattern/?answers=" in manager.get(address).content.decode()
    client.force_login(factories.user("rita", "Quality Assurance Lead"))
    assert "choose-pattern" not in client.get(address).content.decode()


def test_design_tab_shows_the_choice_with_its_rationale_and_what_was_before(manager):
    flow, mia = factories.workflow("flow"), factories.user("mia", first_name="Mia", last_name="Moor")
    for pattern, reason in (("saga", "an old reason"), ("swarm", "<b>it must search</b>")):
        answers = {"pattern": pattern, "linear": "no", "parallel": "yes", "dynamic": "yes", "collaboration": "yes"}
        acts.perform(
            acts.find("workflow", "choose-pattern"),
            acts.of("workflow", flow.pk),
            by=mia,
            reason=reason,
            answers=answers,
        )

    page = manager.get("/workflows/flow/?tab=design").content.decode()

    for words in (
        "chosen by Mia Moor",
        "&lt;b&gt;it must search&lt;/b&gt;",
        "an old reason",
        "as the wizard recommends",
    ):
        assert words in page
    assert "Swarm" in manager.get("/workflows/flow/").content.decode()


def test_help_shows_what_stands_between_backticks_as_code_and_nothing_as_markup():
    assert with_code("say `a < b`, not <b>") == "say <code>a &lt; b</code>, not &lt;b&gt;"
