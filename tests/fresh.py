"""An open page against the same address freshly opened: node by node, but for what must differ, each thing named here.

What is compared is what a reader meets: elements, attributes, words, and what fields hold.
"""

import difflib
import time
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import BrowserContext, Page

from tests.functional.conftest import at_rest

PATIENCE: Final = 6.0  # seconds until an open page must be as a fresh one; most are in a tenth of that
_SHOWN: Final = 40  # lines of a difference that a failure tells

# Attributes that must differ, or belong to the person at the page.
ATTRIBUTES: Final = {
    "hx-headers:inherited": "the form token, new with each page",
    "data-live": "how the connection is, of <html>",
    "data-live-pos": "the position in the log that the page was made at",
    "data-state": "how the connection is, of its badge",
    "data-htmx-powered": "htmx's own note",
    "data-theme": "the reader's choice of look",
    "open": "what the reader has unfolded",
    "style": "what scripts measure: heights, places",
    "data-activity": "of a card, for whom its form is kept though it is settled",
    "data-draft": "the same",
}
# Elements of which only the presence is compared.
WORDS: Final = {
    "time[data-relative]": "time words: three minutes ago",
    "time[data-countdown]": "time that is left, by the second",
    "progress[data-until]": "time that is left, as a bar",
    ".link-badge": "how the connection is, in words",
    "input[name=csrfmiddlewaretoken]": "the form token",
    "input[name=key]": "the key by which a form that is sent twice counts once",
    "[data-wall-clock]": "the time",
}

_SNAPSHOT: Final = """([attributes, words, apart]) => {
  const lines = [];
  const told = (element) => {
    const kept = [...element.attributes].filter(({name}) => !attributes.includes(name)).map(({name, value}) => {
      const isOwn = (one) => one && !one.startsWith("htmx-");
      if (name === "class") value = value.split(/\\s+/).filter(isOwn).sort().join(" ");
      return value === "" && name === "class" ? "" : `${name}=${JSON.stringify(value.trim())}`;
    });
    return kept.filter(Boolean).sort().join(" ");
  };
  const walk = (node, depth) => {
    const indent = " ".repeat(depth);
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.replace(/\\s+/g, " ").trim();
      if (text) lines.push(`${indent}"${text}"`);
    }
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches("script, style, link, template, noscript")) return;
    if (apart.some((selector) => node.matches(selector))) return;
    const name = node.localName;
    if (words.some((selector) => node.matches(selector))) return void lines.push(`${indent}<${name}>`);
    lines.push(`${indent}<${name} ${told(node)}>`);
    const held = node.matches("input, select, textarea") ? JSON.stringify([node.value, Boolean(node.checked)]) : "";
    if (held) lines.push(`${indent} = ${held}`);
    node.normalize();
    for (const child of node.childNodes) walk(child, depth + 1);
  };
  walk(document.documentElement, 0);
  return lines;
}"""


def picture(page: Page, apart: tuple[str, ...] = ()) -> list[str]:
    """A page as lines, one for each element and each text."""
    lines: list[str] = page.evaluate(_SNAPSHOT, [list(ATTRIBUTES), list(WORDS), list(apart)])
    return lines


@dataclass(slots=True)
class Watch:
    """Open pages of one person, each held against its address in a tab of the same session.

    `apart` are selectors of what one kind of page leaves to its reader: each test names its own.
    """

    context: BrowserContext
    apart: tuple[str, ...] = ()
    _fresh: Page = field(init=False)

    def __post_init__(self) -> None:
        self._fresh = self.context.new_page()
        # It hears nothing, so whatever it shows is what the server answers now; and it takes no place of ten sockets.
        self._fresh.route_web_socket("**/ws/live", lambda socket: None)

    def reopened(self, page: Page) -> list[str]:
        """What the address of a page shows now."""
        self._fresh.goto(page.url)
        at_rest(self._fresh)
        return picture(self._fresh, self.apart)

    def compare(self, page: Page, *, seconds: float = PATIENCE) -> tuple[list[str], str]:
        """A fresh page, and how the open one still differs from it after some seconds: "" as soon as it does not.

        The fresh one is opened again meanwhile: what happened just then is on neither side's account.
        """
        deadline = time.monotonic() + seconds
        wanted = self.reopened(page)
        while (shown := picture(page, self.apart)) != wanted:
            if time.monotonic() > deadline:
                return wanted, _told(wanted, shown)
            page.wait_for_timeout(50)
            if time.monotonic() > deadline - seconds / 3:
                wanted = self.reopened(page)
        return wanted, ""


def _told(wanted: list[str], shown: list[str]) -> str:
    lines = list(difflib.unified_diff(wanted, shown, "fresh", "open", lineterm="", n=1))
    more = f"\n… and {len(lines) - _SHOWN} more lines" if len(lines) > _SHOWN else ""
    return "\n".join(line[:300] for line in lines[:_SHOWN]) + more
