"""Whatever agents and people write, a page stays ours (SCENARIOS 58 and 59)."""

import json
import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from orchestrator import rendering
from orchestrator.sequencer import connect, seal_all
from tests.security import hostile
from tests.security.cast import BACKEND

pytestmark = pytest.mark.django_db
OURS = set(
    "a article aside b blockquote body br button circle code dd del details dialog div dl dt em fieldset "
    "figcaption figure footer form g h1 h2 h3 head header hr html i input ins kbd label legend li line "
    "link main meta nav noscript ol option p path polygon polyline pre progress rect script section "
    "select small span strong summary svg table tbody td template text textarea th thead time title tr ul "
    "use".split()
)
OWN = re.compile(r"(?:[/?].*)?")
FIELDS = re.compile(r"(?s)<textarea.*?</textarea>|<input[^>]*>|<option.*?</option>")


class Inspector(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_title = tag == "title" if not self.title else False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title, self._in_title = data, False


@pytest.fixture
def there() -> hostile.Stage:
    return hostile.stage()


@pytest.fixture
def browser(there) -> Client:
    client = Client()
    client.force_login(there.root, backend=BACKEND)
    return client


@pytest.mark.parametrize("partial", [False, True], ids=["page", "region"])
def test_page_has_only_our_elements_and_addresses(there, browser, partial):
    for name, address in there.pages.items():
        text = browser.get(address, headers={"HX-Request": "true"} if partial else {}).text
        found = Inspector(text)

        assert {tag for tag, _ in found.tags} <= OURS, name
        for tag, attributes in found.tags:
            assert not [key for key in attributes if key.startswith(("on", "hx-on", "hx-ws", "style", "srcdoc"))], name
            acting = {
                key: attributes.get(key) or ""
                for key in ("src", "action", "hx-get", "hx-post", "formaction", "xlink:href")
            }
            assert all(value.startswith(("/", "?", "")) and "evil.example" not in value for value in acting.values()), (
                name
            )
            assert tag == "a" or "evil.example" not in (attributes.get("href") or ""), name
            assert not (attributes.get("href") or "").startswith(("javascript:", "data:")), name
            assert tag != "meta" or "http-equiv" not in attributes, name
        assert not [hidden for hidden in hostile.FORBIDDEN if hidden in _seen(text)], name


def _seen(text: str) -> str:
    """A page without the fields of forms, whose values must stay as they are."""
    return FIELDS.sub("", text)


def test_card_has_one_decision_form_and_it_is_ours(there, browser):
    found = Inspector(browser.get(there.pages["card"]).text)
    forms = [attributes for tag, attributes in found.tags if tag == "form" and attributes.get("id") == "decision"]
    ids = [attributes["id"] for _, attributes in found.tags if attributes.get("id")]
    sent = [
        a.get("name") or ""
        for tag, a in found.tags
        if tag in {"input", "select", "textarea"} and a.get("form") == "decision"
    ]

    assert [form["action"] for form in forms] == [f"/inbox/{there.gate.pk}/decide/"]
    assert len(ids) == len(set(ids))
    assert all(name == "reviewed" or name.startswith("answer.") for name in sent)


def test_card_shows_the_action_from_its_stored_arguments(there, browser):
    text = browser.get(there.pages["card"]).text
    act = text[text.index('class="card-act"') : text.index("</dd>", text.index('class="card-act"'))]

    assert "fin-db-02" in act
    assert "rm -rf" not in act


def test_blank_lines_are_counted_and_what_they_hid_is_shown(there, browser):
    text = browser.get(there.pages["card"]).text

    assert "4,999 blank lines" in text
    assert "\n" * 50 not in _seen(text)
    assert "rm -rf /" in text


def test_titles_are_one_line_of_text(there, browser):
    for name in ("card", "run", "audit"):
        title = Inspector(browser.get(there.pages[name]).text).title

        assert title.endswith("Watchkeeper")
        assert not [hidden for hidden in hostile.FORBIDDEN if hidden in title]


@pytest.mark.parametrize(
    "mark", ["\u27e6U+FFFFFF\u27e7", "\u27e6U+D800\u27e7", "\u27e6U+0041\u00b7B\u27e7", "\u27e69 blank lines\u27e7"]
)
@pytest.mark.parametrize("render", [rendering.reveal, rendering.markdown])
def test_mark_of_ours_cannot_be_forged(render, mark):
    shown = render(f"a {mark} b")

    assert shown.count('class="revealed"') == 1
    assert "U+27E6" in shown


def test_json_of_the_api_is_json_and_nothing_else(there, browser):
    for path in (f"/runs/{there.run.pk}", f"/gates/{there.gate.pk}", f"/tasks/{there.gate.task_id}", "/gates", "/runs"):
        response = browser.get(f"/api/v1{path}")

        assert response["Content-Type"].startswith("application/json")
        assert response["X-Content-Type-Options"] == "nosniff"
        json.loads(response.content)


def test_download_of_hostile_html_is_a_text_file(there, browser):
    response = browser.get(f"/runs/{there.run.pk}/files/{there.file.pk}/")

    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert "\n" not in response["Content-Disposition"]
    assert response.content == hostile.ALL.encode()


def test_trail_shows_hostile_facts_as_text(there, browser):
    with connect() as connection:
        seal_all(connection)

    found = Inspector(browser.get("/audit/").text)

    assert {tag for tag, _ in found.tags} <= OURS
