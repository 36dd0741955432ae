"""docs/engine-ids.md names tests and code that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "engine-ids.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PARTS = ARCHITECTURE.partition("## Parts by their usual names")[2].partition("\n## ")[0]


def defined() -> set[str]:
    """Every test function there is."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def paths(text: str) -> list[str]:
    """Files and folders that a page names in backticks."""
    return re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|sql)|(?:[\w-]+/)+)`", text)


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))

    assert len(named) > 100
    assert sorted(named - defined()) == []


@pytest.mark.parametrize("text", [TEXT, PARTS], ids=["ids", "parts"])
def test_every_part_that_is_named_exists(text: str) -> None:
    found = paths(text)

    assert len(found) > 15
    assert [path for path in found if not any((ROOT / base / path).exists() for base in ("", "orchestrator"))] == []


def test_every_requirement_of_the_engine_has_a_line() -> None:
    wanted = {*_ids("C", 1, 19), *_ids("C", 24, 46), *_ids("C", 53, 62), *_ids("D", 5, 20), *_ids("D", 25, 44)}
    wanted |= {*_ids("A", 7, 12), *_ids("A", 19, 20), *_ids("A", 29, 36), *_ids("A", 47, 52), "A082"}
    wanted |= {*_ids("A", 101, 112), *_ids("B", 32, 49), "B100", *_ids("B", 106, 107), "B131"}
    told: set[str] = set()
    for line in re.findall(r"^\| ([A-D]\d{3}[^|]*) \|", TEXT, re.MULTILINE):
        for first, last in re.findall(r"([A-D]\d{3})(?:-([A-D]\d{3}))?", line):
            told |= {*_ids(first[0], int(first[1:]), int((last or first)[1:]))}

    assert sorted(wanted - told) == []


def _ids(letter: str, first: int, last: int) -> list[str]:
    return [f"{letter}{number:03}" for number in range(first, last + 1)]
