"""Publishing knows whose steps are whose: a team that does not exist is refused, and a role is none."""

import pytest
from django.contrib.auth.models import Group

from agents.registry import sync
from orchestrator import services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.models import Workflow
from tests import engine, people

pytestmark = pytest.mark.django_db

SOURCE = """
metadata: {name: claims, title: Claims}
steps:
  - {key: take, type: automated, agent: test-echo}
  - key: law
    type: sequential
    team: Legal
    steps:
      - {key: read, type: automated, agent: test-echo}
      - {key: pay, type: automated, agent: test-echo, team: Claims}
      - {key: side, type: parallel, steps: [{key: note, type: automated, agent: test-echo}]}
dependencies: {law: [take]}
"""


@pytest.fixture(autouse=True)
def _agents() -> None:
    assert engine.OPEN  # the agents of tests/engine.py are registered
    sync()


def publish(source: str = SOURCE) -> dict[str, list[str]]:
    """The keys of each team's steps, as they are stored."""
    version = services.publish(source=source, file="claims.yaml", by=None)
    keys = {step["index"]: step["key"] for step in version.plan["steps"]}
    return {team: sorted(keys[place] for place in places) for team, places in version.teams.items()}


def test_steps_belong_to_the_team_they_name_or_that_of_their_group():
    for name in ("Legal", "Claims"):
        Group.objects.create(name=name)

    assert publish() == {"Legal": ["note", "read"], "Claims": ["pay"]}


def test_unknown_team_is_refused_with_step_line_and_the_nearest_there_is():
    for name in ("Legals", "Claims"):
        Group.objects.create(name=name)

    with pytest.raises(DefinitionError) as refusal:
        publish()

    assert [(one.step, one.field, one.remedy) for one in refusal.value.problems] == [
        ("read", "team", 'did you mean "Legals"?'),
        ("note", "team", 'did you mean "Legals"?'),
    ]
    assert 'claims.yaml:9: step "read", team: "Legal" is not a team' in str(refusal.value)
    assert not Workflow.objects.exists()


def test_role_is_no_team():
    people.person("rob", "Reviewer")

    with pytest.raises(DefinitionError, match='"Reviewer" is not a team'):
        publish(SOURCE.replace("Legal", "Reviewer").replace("Claims}", "Reviewer}"))


def test_body_of_a_map_belongs_to_its_step():
    with pytest.raises(DefinitionError, match="is not a field here"):
        publish(
            "metadata: {name: a, title: A}\nsteps:\n"
            "  - {key: m, type: map, over: input.x, body: {type: automated, agent: test-echo, team: Legal}}"
        )
