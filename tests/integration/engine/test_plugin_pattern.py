"""A pattern that an installed app brings runs like our own, and nothing of ours names it (A082)."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.conf import settings

from orchestrator.definitions.errors import DefinitionError
from orchestrator.invariants import violations
from orchestrator.patterns import registry
from orchestrator.states import RunStatus
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = "- {key: duel, type: pattern, pattern: duel, inputs: {what: '${input.what}'}, options: {agents: %s}}"


@pytest.fixture
def plugin() -> Iterator[None]:
    """The app installed, as settings would install it; its AppConfig registers the pattern."""
    known = {name: registry.find(name) for name in registry.names()}  # asked for, so that our own are among them
    apps.set_installed_apps([*settings.INSTALLED_APPS, "tests.plugin_pattern.apps.PluginConfig"])
    yield
    apps.unset_installed_apps()
    registry._known.patterns = {name: pattern for name, pattern in known.items() if pattern is not None}


@pytest.mark.usefixtures("plugin")
def test_pattern_of_another_app_is_published_checked_and_run() -> None:
    with pytest.raises(DefinitionError, match="both are the same agent"):
        publish(STEPS % "[test-echo, test-echo]")
    with pytest.raises(DefinitionError, match='"nobody" is not an agent'):
        publish(STEPS % "[test-echo, nobody]")
    publish(STEPS % "[test-sleeper, test-echo]")

    run = start(what="a long question to both of them")
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED, run.error
    assert task(run, "duel").output["winner"] == "duel.1"
    assert not list(violations())


def test_pattern_is_unknown_where_its_app_is_not_installed() -> None:
    assert "duel" not in registry.names()
    with pytest.raises(DefinitionError, match='"duel" is not a pattern'):
        publish(STEPS % "[test-sleeper, test-echo]")
