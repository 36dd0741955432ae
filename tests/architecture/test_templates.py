"""What every template keeps to."""

import re
from pathlib import Path

import pytest
from django.template import loader

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))

# Whoever opens that link types the account's name.
TYPED = {"access/person.html": {"with name=person.username"}}


@pytest.mark.parametrize("name", NAMES)
def test_template_compiles(name: str) -> None:
    """With the tags and filters that it loads itself: what includes it hands it none."""
    assert loader.get_template(name)


def test_templates_call_people_by_the_filter_person() -> None:
    """Their full name or else the user name, nowhere the one and elsewhere the other."""
    found = {name: _by_hand((TEMPLATES / name).read_text()) - TYPED.get(name, set()) for name in NAMES}

    assert {name: own for name, own in found.items() if own} == {}


def _by_hand(text: str) -> set[str]:
    return set(re.findall(r"[\w.]+\.get_(?:full_|user)name\b|\bwith \w+=[\w.]+\.username\b", text))
