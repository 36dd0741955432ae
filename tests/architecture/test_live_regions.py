"""Rules of the templates that keep an older answer from landing after a later one."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


class _Requests(HTMLParser):
    """Elements that fetch something into another element: (line, target, strategy); and the ids of live regions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str, str]] = []
        self.live: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "data-live-topic" in given:
            self.live.add(f"#{given['id']}")
        target = given.get("hx-target", "this")
        if "hx-get" in given and target != "this":
            self.found.append((self.getpos()[0], target, given.get("hx-sync", "")))


def _read(template: Path) -> _Requests:
    reader = _Requests()
    # Quotes inside of template tags would end the attribute for this parser.
    text, inside = "", template.read_text()
    while "{%" in inside:
        before, _, inside = inside.partition("{%")
        tag, _, inside = inside.partition("%}")
        text += before + "\n" * tag.count("\n")
    reader.feed(text + inside)
    return reader


LIVE = {region for path in TEMPLATES.rglob("*.html") for region in _read(path).live}


@pytest.mark.parametrize("name", sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")))
def test_what_was_asked_for_last_replaces_what_is_under_way(name: str) -> None:
    """htmx's own way is a queue on the element that asks: of three quick questions it forgets the last, and a live
    region's refresh, asked before a search and answered after it, would undo the search."""
    for line, target, strategy in _read(TEMPLATES / name).found:
        is_the_only_asker = strategy == "this:replace" and target not in LIVE
        assert strategy == f"{target}:replace" or is_the_only_asker, f"{name}:{line} needs hx-sync on {target}"


def test_requests_are_found() -> None:
    """The rule above reads what it thinks it reads."""
    found = [*_read(TEMPLATES / "approvals/inbox.html").found, *_read(TEMPLATES / "approvals/row.html").found]
    assert {target for _, target, _ in found} == {"#inbox-list", "#card"}
    assert {"#inbox-list", "#agent-rows", "#run-rows", "#run-tab", "#floor-events"} <= LIVE
