"""A worker dies between sending a side effect and hearing back: the provider is asked, else a person."""

import asyncio
from collections.abc import Iterator

import pytest

from agents.errors import EffectUnknown
from agents.types import Json
from orchestrator.engine import threads
from orchestrator.engine.effects import TaskEffects
from orchestrator.models import Effect

pytestmark = pytest.mark.django_db(transaction=True)
sent: list[str] = []


def attempt(number: int) -> TaskEffects:
    return TaskEffects(task_id=1 << 20, attempt=number, in_thread=threads.database)


async def dying() -> Json:
    sent.append("money")
    raise ConnectionError("the line went dead")


async def paying() -> Json:
    sent.append("money")
    return {"receipt": 1}


async def found() -> Json:
    return {"receipt": 7}


async def not_found() -> Json:
    return None


@pytest.fixture(autouse=True)
def _first_attempt_died(transactional_db: None) -> Iterator[None]:
    sent.clear()
    with pytest.raises(ConnectionError):
        asyncio.run(attempt(1).once("refund", dying))
    yield
    threads.close()


def test_unknown_effect_without_a_provider_to_ask_is_never_repeated() -> None:
    with pytest.raises(EffectUnknown):
        asyncio.run(attempt(2).once("refund", paying))

    assert sent == ["money"]
    assert Effect.objects.get().status == "unknown"


def test_effect_that_arrived_is_taken_from_the_provider() -> None:
    result = asyncio.run(attempt(2).once("refund", paying, reconcile=found))

    assert result == {"receipt": 7}
    assert sent == ["money"]
    assert Effect.objects.get().status == "confirmed"


def test_effect_that_did_not_arrive_is_sent_again() -> None:
    result = asyncio.run(attempt(2).once("refund", paying, reconcile=not_found))

    assert result == {"receipt": 1}
    assert sent == ["money", "money"]
