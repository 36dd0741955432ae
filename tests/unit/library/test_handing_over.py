"""Registers, files and stand-ins of the templates: once, exactly, and nothing claimed."""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from agents.context import AgentContext
from agents.errors import Business, Permanent
from agents.library import handing_over
from agents.library.registers import FileRegister
from agents.library.standing_in import Skill, stand_in
from agents.types import AgentRequest, Json


@pytest.fixture
def register(tmp_path: Path) -> FileRegister:
    return FileRegister(tmp_path / "orders", "WO")


def test_a_key_enters_once_and_keeps_its_contents(register: FileRegister) -> None:
    first = register.enter("k", {"a": 1})
    assert register.enter("k", {"a": 1}) == first
    assert first.reference.startswith("WO-")
    with pytest.raises(Business, match="on record with other contents"):
        register.enter("k", {"a": 2})
    assert register.entries() == [first]
    assert register.find("k") == first
    assert register.find("another") is None


def test_two_who_enter_at_once_find_one_entry(register: FileRegister) -> None:
    together = threading.Barrier(8)

    def enter(_: int) -> str:
        together.wait(10)
        return register.enter("k", {"a": 1}).entered_at

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(enter, range(8)))) == 1
    assert len(register.entries()) == 1


def test_what_is_withdrawn_stays_on_record_with_its_reason(register: FileRegister) -> None:
    entry = register.enter("k", {"a": 1})
    taken = handing_over.take_back(register, entry.reference)
    assert (taken.contents, taken.withdrawn) == ({"a": 1}, handing_over.UNDONE)
    assert register.withdraw(entry.reference, "another reason").withdrawn == handing_over.UNDONE
    assert register.find("k") == taken
    with pytest.raises(Business, match="is not on record"):
        register.withdraw("WO-NOTHING", "why")


@pytest.mark.parametrize(
    ("about", "name"),
    [
        ("Acme Inc.", "memo-acme-inc-.md"),
        ("../../etc/passwd", "memo-------etc-passwd.md"),
        ("x" * 99, f"memo-{'x' * 60}.md"),
    ],
)
def test_no_text_becomes_a_path(about: str, name: str) -> None:
    assert handing_over.file_name("memo", about) == name


class Lost:
    """Effects of an attempt that follows one which died between sending and hearing back."""

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        assert reconcile is not None
        found = await reconcile()
        return found if found is not None else await call()


def context(effects: Any = None) -> AgentContext:
    return AgentContext(AgentRequest("a", None, {}, "task-1-0", 1, 10.0, effects=effects))


def test_entering_again_after_a_lost_answer_finds_what_was_entered(register: FileRegister) -> None:
    first = handing_over.enter_once(register, "order", {"a": 1}, context())
    assert handing_over.enter_once(register, "order", {"a": 1}, context(Lost())) == first
    assert len(register.entries()) == 1


class Asked(BaseModel):
    question: str


class Said(BaseModel):
    answer: str
    confidence: float


SKILLS = (Skill("question", Asked, lambda given, ctx: Said(answer=given.question.upper(), confidence=0.9)),)


def test_who_stands_in_does_the_same_work_and_claims_nothing() -> None:
    assert stand_in(SKILLS, {"question": "why"}, context()) == {"answer": "WHY", "confidence": 0.0}


def test_who_stands_in_refuses_what_is_none_of_its_work() -> None:
    with pytest.raises(Permanent, match="No step that I stand in for"):
        stand_in(SKILLS, {"other": 1}, context())
    with pytest.raises(ValidationError):
        stand_in(SKILLS, {"question": 5}, context())
