"""The search finds what there is by its words, within what the user may see."""

import pytest

from monitoring.finding import find
from monitoring.models import Mention
from tests import factories

pytestmark = pytest.mark.django_db


def test_workflow_is_found_by_its_words_by_those_who_may_see_it():
    factories.workflow("incident-response", title="Incident response")

    manager, stranger = factories.user("mia", "Workflow Orchestration Manager"), factories.user("stan")

    assert [(hit.group, hit.title) for hit in find(manager, "incident")] == [("Workflows", "Incident response")]
    assert find(stranger, "incident") == []


def test_run_is_found_by_its_correlation_id_and_by_its_incident_by_those_who_may_see_it():
    run = factories.run(factories.workflow(), correlation_id="c-4711", title="Isolate")
    Mention.objects.create(kind="incident", name="INC-7", pos=1, run_id=run.pk)
    manager, stranger = factories.user("mia", "Workflow Orchestration Manager"), factories.user("stan")

    for words in ("c-4711", "INC-7"):
        assert [hit.title for hit in find(manager, words)] == [f"#{run.pk} Isolate"]
        assert find(stranger, words) == []
