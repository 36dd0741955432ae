"""Parts of pages that are written once for the same values."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch
from django.utils import timezone, translation
from django.utils.safestring import mark_safe

from config.context import Link
from config.templatetags import remembering
from config.templatetags.watchkeeper import relative

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "templates"
# What depends on more than values: the clock, the request, the person, the database. A form's token may be given.
_MORE = re.compile(r"{% (?:when|clock|now|query|gate_address|run_address|agent_sections) |[ =]request\.|[ =]shell\.")


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


def test_token_of_a_form_is_each_answers_own() -> None:
    template = Template('{% remembered "components/language.html" csrf_token=csrf_token %}')

    def shown(token: str) -> str:
        return template.render(Context({"csrf_token": token}))

    assert 'value="first"' in shown("first")
    assert shown("first").replace("first", "second&quot;") == shown('second"')
    assert remembering._written.cache_info().misses == 1


def test_words_are_those_of_the_language_and_may_be_put_into_a_variable() -> None:
    template = Template(
        '{% load i18n %}{% translate "Inbox" %} {% translate "Inbox" as said %}[{{ said }}]'
        '{% translate "100% & more" %}{% translate word %}'
    )

    def shown() -> str:
        return template.render(Context({"word": "Runs"}))

    with translation.override("de"):
        german = shown()

    assert (shown(), shown()) == ("Inbox [Inbox]100% & moreRuns",) * 2
    assert german == "Eingang [Eingang]100% & moreLäufe"


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (4.9, "now", "jetzt"),
        (59.9, "in 59 s", "in 59 s"),
        (-119.0, "1 min ago", "vor 1 min"),
        (3599.0, "in 59 min", "in 59 min"),
        (172_799.0, "in 47 h", "in 47 h"),
        (-259_199.0, "2 days ago", "vor 2 Tagen"),
    ],
)
def test_span_is_told_in_its_largest_unit_in_each_language(seconds: float, english: str, german: str) -> None:
    with translation.override("de"):
        assert relative(seconds) == german

    assert (relative(seconds), relative(seconds)) == (english, english)


def test_address_is_that_of_the_values_and_none_where_it_is_unknown() -> None:
    template = Template('{% url "approvals:gate" pk %} {% url "approvals:gate" pk=pk as named %}{{ named }}')
    unknown = '{% url "approvals:nowhere" as none %}[{{ none }}]'

    assert template.render(Context({"pk": 7})) == "/inbox/7/ /inbox/7/"
    assert template.render(Context({"pk": 8})) == "/inbox/8/ /inbox/8/"
    assert Template(unknown).render(Context()) == "[]"
    with pytest.raises(NoReverseMatch):
        Template('{% url "approvals:nowhere" %}').render(Context())


_CALLS = re.compile(r'(?:{% remembered|remembered\()\s*"([^"]+)"([^%]*)')


def calls() -> list[tuple[str, str]]:
    folders = (TEMPLATES.rglob("*.html"), (ROOT / "config" / "templatetags").glob("*.py"))
    return [found for paths in folders for path in paths for found in _CALLS.findall(path.read_text())]


def remembered() -> set[str]:
    return {name for name, _values in calls()}


def text_of(name: str) -> str:
    text = (TEMPLATES / name).read_text()
    return text + "".join(text_of(other) for other in re.findall(r'{% include "([^"#]+)"', text))


def test_part_with_a_form_is_given_its_token() -> None:
    given = {name: values for name, values in calls() if "csrf_token %}" in text_of(name)}

    assert given
    assert [name for name, values in given.items() if "csrf_token=csrf_token" not in values] == []


@pytest.mark.parametrize("name", sorted(remembered()))
def test_remembered_part_depends_on_its_values_alone(name: str) -> None:
    assert _MORE.findall(text_of(name)) == []
