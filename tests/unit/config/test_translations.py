"""The second language: nothing in it breaks a page, and what Django reads is what people wrote."""

import gettext
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from approvals.errors import NotPermitted
from config.translating import catalogue
from config.translating.gettext_files import Entry, compiled, read, write
from config.translating.messages import collect

LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_has_no_guess_and_keeps_every_place(language: str) -> None:
    assert list(catalogue.broken(read(catalogue.source(language)))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_django_reads_was_made_of_what_people_wrote(language: str) -> None:
    assert catalogue.machine(language).read_bytes() == catalogue.made(language)  # manage.py translations --update


def test_lost_place_a_guess_and_a_missing_space_are_named() -> None:
    entries = [
        Entry("%(n)s of %(of)s", said=["%(n)s von"]),
        Entry("Wait {seconds:g} s", said=["Warten Sie {sekunden:g} s"]),
        Entry("One vote of %(n)s", "%(n)s votes", said=["Eine Stimme", "%(n)s Stimmen"]),  # may do without its number
        Entry("Failed at ", said=["Fehlgeschlagen bei"]),
        Entry("Runs", said=["Läufe"], fuzzy=True),
    ]

    found = list(catalogue.broken(entries))

    assert [line.split(":")[0].split(" is")[0] for line in found] == [
        "'%(n)s of %(of)s'",
        "'Wait {seconds",
        "'Failed at '",
        "'Runs'",
    ]


def test_both_files_keep_what_they_are_given(tmp_path: Path) -> None:
    entries = [
        Entry('Say “why” or "how"\nin words', said=["Sagen Sie „warum“"], files=["a.html"]),
        Entry("%(n)d run", "%(n)d runs", said=["%(n)d Lauf", "%(n)d Läufe"]),
        Entry("Open", context="a verb", said=["Öffnen"]),
        Entry("Not yet"),
    ]
    header = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"

    write(tmp_path / "django.po", entries, header)
    (tmp_path / "django.mo").write_bytes(compiled(read(tmp_path / "django.po"), header))

    with (tmp_path / "django.mo").open("rb") as file:
        words = gettext.GNUTranslations(file)
    assert words.gettext('Say “why” or "how"\nin words') == "Sagen Sie „warum“"
    assert [words.ngettext("%(n)d run", "%(n)d runs", n) for n in (1, 2)] == ["%(n)d Lauf", "%(n)d Läufe"]
    assert words.pgettext("a verb", "Open") == "Öffnen"
    assert words.gettext("Not yet") == "Not yet"


def test_collector_finds_what_templates_modules_and_errors_say(tmp_path: Path) -> None:
    for folder in ("templates", "agents"):
        (tmp_path / folder).mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '{% load i18n %}{% translate "It’s (really) on" %}<p title="{{ x|default:_("None") }}">'
        "{% blocktranslate trimmed count n=n %}\n  {{ n }} run\n{% plural %}\n  {{ n }} runs\n{% endblocktranslate %}"
    )
    (tmp_path / "agents" / "words.py").write_text(
        'class Gone(AgentsError):\n    """{what} is gone."""\n\n\nclass Lost(Gone):\n    """{what} is lost."""\n\n\n'
        'class Other(Exception):\n    """Not said to anybody."""\n\n\nsaid = gettext("One" " sentence.")\n'
    )

    found = [(message.text, message.plural) for message in collect(tmp_path)]

    assert found == [
        ("It’s (really) on", ""),
        ("None", ""),
        ("%(n)s run", "%(n)s runs"),
        ("One sentence.", ""),
        ("{what} is gone.", ""),
        ("{what} is lost.", ""),
    ]


def test_errors_speak_the_language_of_whoever_is_served() -> None:
    with translation.override("de"):
        assert "Administrator um das Recht" in str(NotPermitted(verb="x"))
    assert "ask an administrator" in str(NotPermitted(verb="x"))


@pytest.mark.django_db
def test_language_is_the_browsers_until_somebody_chooses_one(client: Client) -> None:
    page = client.get("/sign-in/", headers={"accept-language": "de-CH,de;q=0.9,en;q=0.5"})
    assert '<html lang="de"' in page.text
    assert "Sie behalten die Wacht" in page.text

    answer = client.post(
        "/language/", {"language": "en"}, headers={"referer": "http://testserver/sign-in/?next=/runs/"}
    )

    assert (answer.status_code, answer["Location"]) == (302, "http://testserver/sign-in/?next=/runs/")
    assert '<html lang="en"' in client.get("/sign-in/", headers={"accept-language": "de"}).text
    assert client.get("/language/").status_code == 405
