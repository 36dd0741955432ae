"""What a burst of changes does to somebody at work: nothing to what they type, and next to nothing is read out."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from approvals import services
from tests import people
from tests.functional.conftest import Site

WORDS = "the owner of the host is away until"

# Each change of words in a region that screen readers read out, with its time.
LISTEN = """() => {
  window.readOut = [];
  const spoken = '[aria-live]:not([aria-live="off"]), [role="status"], [role="alert"], [role="log"]';
  new MutationObserver((changes) => {
    for (const change of changes) {
      const at = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      const elements = [...change.addedNodes].filter((node) => node.nodeType === 1);
      const added = elements.map((node) => (node.matches(spoken) ? node : node.querySelector(spoken))).filter(Boolean);
      const region = at?.closest(spoken) ?? added[0];
      const words = region?.textContent.trim();
      if (words && region.checkVisibility()) window.readOut.push([performance.now(), words.slice(0, 80)]);
    }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


@pytest.fixture
def sam(transactional_db: None) -> User:
    return people.person("sam", decides=people.queue())


def test_typing_a_note_while_the_card_changes_ten_times_a_second_loses_nothing(
    site: Site, ana: User, sam: User, page: Page
) -> None:
    gate = people.gate()
    site.enter(page, ana, f"/inbox/{gate.pk}/")
    live(page)
    note = page.locator("#note")
    note.click()

    for number, letter in enumerate(WORDS):
        services.comment(gate_id=gate.pk, by=sam, text=f"remark {number}")
        page.keyboard.type(letter)
        page.wait_for_timeout(60)
    note.evaluate("field => field.setSelectionRange(4, 9)")
    for number in range(10):
        services.comment(gate_id=gate.pk, by=sam, text=f"afterthought {number}")
        page.wait_for_timeout(60)

    expect(page.locator("#card-comments")).to_contain_text("afterthought 9")
    expect(note).to_be_focused()
    assert note.input_value() == WORDS
    assert note.evaluate("field => [field.selectionStart, field.selectionEnd]") == [4, 9]


@pytest.mark.parametrize("path", ["/inbox/", "/"], ids=["inbox", "floor"])
def test_burst_of_changes_is_read_out_once_in_five_seconds_at_most(
    site: Site, ana: User, page: Page, path: str
) -> None:
    cleo = people.person("cleo", "Human Oversight Coordinator", decides=people.queue())
    people.gate(title="There before")
    site.enter(page, cleo, path)
    live(page)
    page.wait_for_load_state("networkidle")
    page.evaluate(LISTEN)

    for number in range(40):
        gate = people.gate(title=f"Isolate host {number}")
        if number % 2:
            services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)
        page.wait_for_timeout(80)
    page.wait_for_timeout(1000)

    told = page.evaluate("window.readOut")
    spans = [[words for at, words in told if first <= at < first + 5000] for first, _words in told]
    assert max((len(set(span)) for span in spans), default=0) <= 1, told
