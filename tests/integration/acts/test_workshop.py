"""A workshop keeps six scores and why; the page draws them and says the same in a table (B115)."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from orchestrator import acts, workshops
from orchestrator.models import Event, Workflow, Workshop
from orchestrator.workshops import CRITERIA
from tests import people
from tests.engine import publish

pytestmark = pytest.mark.django_db
SCORES = dict(zip(CRITERIA, (5, 4, 3, 2, 1, 5), strict=True))


def hold(scope: str, name: str, reason: str, **changed: int) -> None:
    by = people.User.objects.filter(username="mia").first() or people.person(
        "mia", "Workflow Orchestration Manager", "Agent Development Specialist"
    )
    act, target = acts.find(scope, "hold-workshop"), acts.locate(scope, name)
    assert act.permits(by, target)
    acts.perform(act, target, by=by, reason=reason, answers={**SCORES, **changed})


def page(path: str) -> str:
    client = Client()
    client.force_login(people.User.objects.get(username="mia"))
    return client.get(path).content.decode()


@pytest.mark.parametrize(
    ("scope", "name", "path"),
    [("workflow", "flow", "/workflows/flow/?tab=design"), ("agent", "test-echo", "/agents/test-echo/uses/")],
)
def test_scores_rationale_radar_and_table_stand_on_the_page(scope: str, name: str, path: str):
    publish("  - {key: a, type: automated, agent: test-echo}")
    hold(scope, name, "first look, with the desk")
    hold(scope, name, "they have the data now", data=5)

    shown = page(path)

    assert Workshop.objects.count() == 2
    assert Event.objects.filter(kind="workshop.held").last().data["scores"]["data"] == 5
    assert 'class="radar" viewBox="0 0 360 256" role="img"' in shown
    assert shown.count('class="level"') == 5  # not "ring": another part's name, that turns it out of the picture
    for criterion, score in {**SCORES, "data": 5}.items():
        row = shown.split(f'<th scope="row"><span class="mono">{criterion}</span>')[1].split("</tr>")[0]
        assert f'<td class="end num">{score}</td>' in row
        assert f'<td class="end num mute">{SCORES[criterion]}</td>' in row
    assert "they have the data now" in shown
    assert "first look, with the desk" in shown


def test_shape_reaches_as_far_as_the_scores_say():
    publish("  - {key: a, type: automated, agent: test-echo}")
    hold("workflow", "flow", "r", **dict.fromkeys(CRITERIA, 5))
    best = workshops.shown(Workflow.objects.get())["radar"]
    assert (best.shape, best.earlier) == (best.rings[-1], "")
    hold("workflow", "flow", "r", **dict.fromkeys(CRITERIA, 1))
    worst = workshops.shown(Workflow.objects.get())["radar"]
    assert (worst.shape, worst.earlier) == (worst.rings[0], worst.rings[-1])


@pytest.mark.parametrize("score", [0, 6, 2.5, "5", None])
def test_other_scores_are_refused(score: object):
    publish("  - {key: a, type: automated, agent: test-echo}")
    act, target = acts.find("workflow", "hold-workshop"), acts.locate("workflow", "flow")
    with pytest.raises(acts.AnswerInvalid):
        acts.perform(act, target, by=None, reason="r", answers={**SCORES, "fit": score})
    assert not Workshop.objects.exists()


def test_workshop_is_about_one_thing():
    with pytest.raises(IntegrityError, match="workshop_about_one"), transaction.atomic():
        Workshop.objects.create(scores=SCORES, rationale="r")
