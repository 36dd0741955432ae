"""Parts of pages that are written once for the same values."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils import timezone, translation
from django.utils.safestring import mark_safe

from config.context import Link
from config.templatetags import remembering

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
# What depends on more than values: the clock, the request, the person, the database.
_MORE = re.compile(
    r"{% (?:when|clock|now|csrf_token|query|gate_address|run_address|agent_sections) |[ =]request\.|[ =]shell\."
)


def written(**values: object) -> str:
    given = " ".join(f"{name}={name}" for name in values)
    return Template(f'{{% remembered "components/shell_link.html" {given} %}}').render(Context(values))


@pytest.fixture(autouse=True)
def _forget() -> None:
    remembering._written.cache_clear()


def link(**more: str) -> Link:
    return replace(Link("/runs/", "play", "Runs", "g r", current=False), **more)


def test_same_values_are_written_once() -> None:
    assert written(link=link()) == written(link=link())

    assert remembering._written.cache_info().hits == 1


def test_other_values_are_written_anew() -> None:
    assert "nav-count" not in written(link=link())
    assert "nav-count" in written(link=link(count="3"))


def test_text_that_is_safe_is_not_taken_for_text_that_is_not() -> None:
    template = '{% remembered "components/risk_pill.html" risk=risk %}'

    def shown(risk: str) -> str:
        return Template(template).render(Context({"risk": risk}))

    assert shown(mark_safe("low")) == shown("low")
    assert remembering._written.cache_info().hits == 0


def test_each_language_and_time_zone_has_its_own() -> None:
    template = Template('{% remembered "components/frame_dialogs.html" %}')
    english = template.render(Context())
    with translation.override("de"):
        german = template.render(Context())
    with timezone.override("Asia/Tokyo"):
        template.render(Context())

    assert english != german
    assert "Are you sure?" in english
    assert remembering._written.cache_info().misses == 3


def test_what_may_change_is_refused() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        written(link=["/runs/"])


def remembered() -> set[str]:
    texts = (path.read_text() for path in TEMPLATES.rglob("*.html"))
    return {name for text in texts for name in re.findall(r'{% remembered "([^"]+)"', text)}


@pytest.mark.parametrize("name", sorted(remembered()))
def test_remembered_part_depends_on_its_values_alone(name: str) -> None:
    assert _MORE.findall((TEMPLATES / name).read_text()) == []
