"""Takes the pictures of docs/screens.md from a running demo, and writes that page.

    make up                                                  # in another terminal, until it prints its address
    python docs/take_screens.py http://127.0.0.1:8000 .watchkeeper/demo-passwords.json [inbox card ...]

Each screen is taken at 1440 and 390 pixels, light and dark, as WebP through Chromium itself. `CHROMIUM` names the
browser where Playwright has none of its own. Nothing is decided or changed on the way.
"""

import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent / "images" / "desk"
PAGE = Path(__file__).parent / "screens.md"
WIDTHS = {1440: 900, 390: 844}
SCHEMES = ("light", "dark")
MOST = 150_000  # bytes of one picture
PATIENCE = 180_000.0  # ms
SETTLES = 2_500.0  # ms until a card that was opened has arrived, and the page is live
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
INTRODUCTION = (
    "Taken from the running demo by [take_screens.py](take_screens.py), at 1440 and 390 pixels, light and dark. "
    "What they do is told in [gates](gates.md), [feedback](feedback.md), [reviewers](reviewers.md) and "
    "[access](access.md)."
)


class Screen(NamedTuple):
    """One picture's page: whose eyes, where, what to open there, and what it shows."""

    name: str
    who: str
    path: str
    click: str
    title: str
    words: str


SCREENS = (
    Screen("inbox", "ana", "/inbox/", "", "Inbox", "What waits for this person, the most urgent first."),
    Screen("card", "ana", "/inbox/", ".queue-row", "Card", "What is asked, and the verdicts."),
    Screen("sign-off", "tom", "/inbox/?queue=editors", ".queue-row", "Sign-off", "A text before it is published."),
    Screen("access", "adam", "/access/roles/", "", "Access", "Roles and rights as a matrix that people can read."),
    Screen("responsibilities", "adam", "/access/responsibilities/", "", "Responsibilities", "Who answers for what."),
    Screen("person", "adam", "/access/", "main table a", "One person", "What they may do and why, and their devices."),
    Screen("feedback", "quinn", "/feedback/", "", "Feedback", "What people said of outputs, and what waits."),
    Screen("accessibility", "quinn", "/feedback/usability/", "", "Accessibility", "What is known, and what is not."),
    Screen("reviewers", "olga", "/inbox/oversight/", "", "How people decide", "Promises, checks, second looks."),
)  # fmt: skip


def main() -> None:
    """Take all of them, and write the page."""
    root, passwords = sys.argv[1].rstrip("/"), json.loads(Path(sys.argv[2]).read_text())
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None, args=ARGS)
        wanted = [screen for screen in SCREENS if screen.name in sys.argv[3:] or not sys.argv[3:]]
        who = {screen.who for screen in wanted if screen.who}
        states = {name: signed_in(browser, root, name, passwords[name]["password"]) for name in sorted(who)}
        for screen in wanted:
            for file in pictures(browser, root, screen, states.get(screen.who)):
                sys.stdout.write(f"{file.name}: {file.stat().st_size // 1000} kB\n")
        browser.close()
    PAGE.write_text(page())


def signed_in(browser: Browser, root: str, who: str, password: str) -> dict[str, object]:
    """The cookies of somebody who has signed in."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    tab.goto(f"{root}/sign-in/?next=/inbox/keys/")
    tab.get_by_label("Name", exact=True).fill(who)
    tab.get_by_label("Password", exact=True).fill(password)
    tab.get_by_role("button", name="Sign in", exact=True).click()
    tab.wait_for_url(lambda url: "/sign-in/" not in url)
    state: dict[str, object] = dict(context.storage_state())
    context.close()
    return state


def pictures(browser: Browser, root: str, screen: Screen, state: dict[str, object] | None) -> Iterator[Path]:
    """One screen at each width, in each look."""
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, storage_state=state, locale="en-GB"
            )
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            tab.goto(root + screen.path)
            if screen.click and tab.locator(screen.click).count():
                tab.locator(screen.click).first.click()
            tab.wait_for_timeout(SETTLES)
            file = FOLDER / f"{screen.name}-{width}-{scheme}.webp"
            file.write_bytes(picture(tab))
            yield file
            context.close()


def picture(tab: Page) -> bytes:
    """What the page shows, as WebP small enough to keep."""
    session = tab.context.new_cdp_session(tab)
    for quality in (85, 70, 55, 40):
        taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        body = base64.b64decode(taken["data"])
        if len(body) <= MOST:
            return body
    raise SystemExit(f"{tab.url} does not fit into {MOST} bytes")


def page() -> str:
    """docs/screens.md."""
    parts = [f"# Screens of the reviewer's desk\n\n{INTRODUCTION}\n"]
    for screen in SCREENS:
        wide, narrow = (shown(screen, width) for width in WIDTHS)
        parts.append("\n\n".join(part for part in (f"## {screen.title}\n{screen.words}", wide, narrow) if part) + "\n")
    return "\n".join(parts)


def shown(screen: Screen, width: int) -> str:
    """The pictures of this width that there are, the narrow ones as small as they are."""
    files = [FOLDER / f"{screen.name}-{width}-{look}.webp" for look in SCHEMES]
    size = ' width="240"' if width == min(WIDTHS) else ""
    return " ".join(
        f'<img src="images/desk/{file.name}"{size} alt="{screen.title}, {width} pixels, {look}">'
        for file, look in zip(files, SCHEMES, strict=True)
        if file.exists()
    )


if __name__ == "__main__":
    main()
