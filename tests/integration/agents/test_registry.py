"""agents.registry against the database: recorded versions never change; autodiscovery; the command."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pydantic import BaseModel

from agents import registry as registry_module
from agents.errors import VersionChanged
from agents.models import Agent, AgentVersion
from agents.registry import Registry, agent, autodiscover, sync

pytestmark = pytest.mark.django_db
OBJECT: dict[str, Any] = {"type": "object"}


class Model(BaseModel):
    x: int


async def work(value: Any, ctx: Any) -> Any:
    return value


def registered(**facts: Any) -> Registry:
    registry = Registry()
    agent(**{"name": "a", "input": Model, "output": OBJECT, "registry": registry, **facts})(work)
    return registry


def test_sync_records_agent_and_version() -> None:
    added = sync(registered(title="T", tags=["x"], capabilities=["c"], max_concurrency=2))

    row = Agent.objects.get(name="a")
    version = row.versions.get()
    assert (row.title, row.domain_tags, row.max_concurrency) == ("T", ["x"], 2)
    assert (version.number, version.kind, version.isolation, version.capabilities) == (1, "python", "loop", ["c"])
    assert version.input_schema == Model.model_json_schema()
    assert version.entrypoint.endswith("test_registry:work")
    assert added == [version]


def test_sync_twice_adds_nothing_and_keeps_peoples_limits() -> None:
    sync(registered(max_concurrency=2))
    Agent.objects.filter(name="a").update(max_concurrency=9)

    added = sync(registered(title="New title", max_concurrency=2))

    assert added == []
    assert list(Agent.objects.values_list("title", "max_concurrency")) == [("New title", 9)]


def test_sync_new_version_is_added_beside_the_old_one() -> None:
    sync(registered())
    registry = registered()
    agent("a", version=2, input=OBJECT, output=OBJECT, registry=registry, title="Newer")(work)

    added = sync(registry)

    assert [version.number for version in added] == [2]
    assert Agent.objects.get(name="a").title == "Newer"


@pytest.mark.parametrize(
    ("facts", "changed"),
    [
        ({"input": OBJECT}, "input schema"),
        ({"isolation": "process"}, "isolation"),
        ({"capabilities": ["new"], "output": {}}, "output schema and capabilities"),
        ({"config": {"model": "other"}}, "config"),
    ],
)
def test_sync_changed_version_is_refused_and_nothing_is_written(facts: dict[str, Any], changed: str) -> None:
    sync(registered(title="Before"))

    with pytest.raises(VersionChanged) as refused, transaction.atomic():
        sync(registered(title="After", **facts))

    assert str(refused.value) == (
        f"Agent 'a' version 1 changed its {changed} after it was recorded; give the change version=2."
    )
    assert Agent.objects.get(name="a").title == "Before"


def test_agent_version_second_row_of_one_number_is_refused() -> None:
    version = sync(registered())[0]
    version.pk = None

    with pytest.raises(IntegrityError, match="one_row_per_agent_version"):
        version.save(force_insert=True)


def test_sync_agents_command_reports_and_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    autodiscover()
    out = StringIO()
    call_command("sync_agents", stdout=out)
    recorded = AgentVersion.objects.count()

    assert recorded == sum(spec.kind != "external" for spec in registry_module.specs())
    assert f"{len(registry_module.specs())} agent versions are known, {recorded} new" in out.getvalue()

    AgentVersion.objects.update(digest="other")
    if recorded:
        with pytest.raises(CommandError, match="give the change version="):
            call_command("sync_agents", stdout=out)
