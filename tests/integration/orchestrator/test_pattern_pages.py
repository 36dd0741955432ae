"""The gallery of patterns, its four questions, and a page of help for each."""

from html import unescape

import pytest
from django.test import Client

from orchestrator.patterns import plain
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


def test_gallery_shows_every_pattern_with_its_trade_offs(manager):
    page = unescape(manager.get("/patterns/").content.decode())

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
