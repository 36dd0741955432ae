"""The search finds what there is by its words, within what the user may see."""

import pytest

from monitoring.finding import find
from tests import factories

pytestmark = pytest.mark.django_db


def test_workflow_is_found_by_its_words_by_those_who_may_see_it():
    factories.workflow("incident-response", title="Incident response")

    manager, stranger = factories.user("mia", "Workflow Orchestration Manager"), factories.user("stan")

    assert [(hit.group, hit.title) for hit in find(manager, "incident")] == [("Workflows", "Incident response")]
    assert find(stranger, "incident") == []
