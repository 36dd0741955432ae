"""Two beats at the same moment, on real connections: one improvement, one proposal, each lesson once."""

from unittest import mock

import pytest

from approvals import services
from approvals.feedback import learning, watching
from approvals.feedback.models import Improvement, Lesson
from orchestrator.models import Event
from tests import hands, people
from tests.integration.approvals.test_decide_races import race
from tests.integration.feedback.conftest import EDITED

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_beats_at_once_learn_once_and_open_one():
    ana = people.person("ana", "Reviewer", decides=people.queue())
    for _ in range(4):
        gate = people.gate()
        services.decide(gate_id=gate.pk, by=ana, verdict="edit", gate_version=1, edited=EDITED)
    hands.seal()

    learned = race(*[learning.learn] * 3)

    assert set().union(*learned) == {"assessor"}
    assert Lesson.objects.count() == 4
    with mock.patch.object(watching, "OVERRIDES_LEAST", 4):
        opened = race(*[lambda: watching.look({"assessor"})] * 4)
    assert sum(opened) == 1
    assert Improvement.objects.count() == 1
    assert Event.objects.filter(kind="improvement.opened").count() == 1
