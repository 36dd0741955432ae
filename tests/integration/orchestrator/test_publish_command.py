"""`manage.py publish` says in one line what it did or what is wrong."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestrator.models import Workflow
from tests import engine

pytestmark = pytest.mark.django_db

GOOD = "metadata: {name: greeting, title: Greeting}\nsteps: [{key: a, type: automated, agent: test-echo}]\n"


def publish(file: Path) -> str:
    out = StringIO()
    call_command("publish", str(file), stdout=out)
    return out.getvalue()


def test_publish_valid_file_becomes_current_and_again_changes_nothing(tmp_path: Path) -> None:
    assert engine.OPEN  # the agents of tests/engine.py are registered
    file = tmp_path / "greeting.yaml"
    file.write_text(GOOD)

    first, again = publish(file), publish(file)

    assert first == again == "greeting version 1 is current.\n"
    file.write_text(GOOD + "# changed\n")
    assert publish(file) == "greeting version 2 is current.\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD.replace("test-echo", "test-ecco"), "test-ecco"),
        (GOOD + "dependencies: {a: [a]}\n", "a -> a"),
    ],
    ids=["unknown agent", "cycle"],
)
def test_publish_invalid_file_names_the_problem_and_publishes_nothing(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)

    with pytest.raises(CommandError, match=r"bad\.yaml") as refusal:
        publish(file)

    assert named in str(refusal.value)
    assert not Workflow.objects.exists()


def test_publish_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        publish(tmp_path / "nowhere.yaml")
