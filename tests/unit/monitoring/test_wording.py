"""Every kind of event is said in words on the floor and in the audit trail."""

import pytest

from monitoring import wording
from orchestrator.events import EventKind


@pytest.mark.parametrize("kind", [kind.value for kind in EventKind])
def test_every_kind_of_event_has_a_title(kind: str) -> None:
    assert wording.title(kind) != kind


@pytest.mark.parametrize("nobody", [[], "", None, {}])
def test_detail_says_nothing_of_a_fact_that_is_empty(nobody):
    assert wording.detail({"title": "Run failed", "to": nobody}) == wording.detail({"title": "Run failed"})
