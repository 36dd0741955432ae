"""Turns what agents wrote into HTML that can neither act nor lie: escaped, sanitised, its hidden characters shown.

Pure: no Django, no database. Every page that shows an agent's words goes through here, and nowhere else.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import nh3
import orjson
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from agents.guardrails import sealing
from agents.types import Json

MAX_TEXT: Final = 200_000  # characters of one text that a page shows
MAX_ITEMS: Final = 200  # of one list
LONG_FACT: Final = 120  # characters; a longer text gets a paragraph
MAX_BLANK_LINES: Final = 2  # more in a row are counted, not shown: they push the real content out of sight

_TAGS: Final = frozenset(
    "p br hr h1 h2 h3 h4 h5 h6 strong em s code pre blockquote ul ol li a table thead tbody tr th td span".split()
)
# Characters without a shape of their own, and the bracket that opens our own marks: text must not forge one.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u27e6\u2800"
    "\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK_LINES: Final = re.compile(rf"\n(?:[^\S\n]*\n){{{MAX_BLANK_LINES + 1},}}")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_LATIN: Final = re.compile("[A-Za-z\u00c0-\u024f]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f\u0530-\u058f\uff21-\uff5a\U0001d400-\U0001d7ff]")
_MARK: Final = re.compile(
    "\u27e6(U\\+[0-9A-F]{4,6}|[\\d,]+ blank lines|sealed:[a-z+]+:[A-Za-z0-9_=\\-]+)(?:\u00b7(\\w))?\u27e7"
)
_REVEAL: Final = "/agents/guardrails/reveal/?sealed="
LINKED: Final = 4_000  # characters of a sealed value that an address can carry


def reveal(text: str) -> str:
    """The text as HTML: escaped, with hidden, bidirectional and look-alike characters made visible."""
    return _decorate(html.escape(_marked(text)))


def plain(text: str) -> str:
    """The text on one line for titles and attributes, with hidden characters spelled out. Not HTML: escape it."""
    return " ".join(_marked(sealing.hidden(text)).split())


def hidden_characters(text: str) -> int:
    """How many characters of the text a reader would not see."""
    return len(_HIDDEN.findall(text))


def markdown(text: str) -> str:
    """An agent's Markdown as HTML: no raw HTML, no images, no scripts; a link names the host it leads to."""
    rendered: str = _parser.render(_marked(text))
    clean = nh3.clean(
        rendered,
        tags=set(_TAGS),
        attributes={"a": {"href"}, "span": {"class"}, "ol": {"start"}},
        attribute_filter=_keep_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return _decorate(clean)


def json_text(value: Json) -> str:
    """JSON, indented, as HTML with its hidden characters revealed."""
    return reveal(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Piece:
    """One field of an agent's output and how it is best read: fact, text, markdown, list or json."""

    name: str
    kind: str
    value: Json


def pieces(value: Json) -> list[Piece]:
    """An output field by field, in its own order; what is not an object is one piece without a name."""
    if not isinstance(value, dict):
        return [_piece("", value)] if value is not None else []
    return [_piece(name, item) for name, item in value.items()]


def _piece(name: str, value: Json) -> Piece:
    if isinstance(value, str):
        kind = "markdown" if looks_like_markdown(value) else "text" if len(value) > LONG_FACT else "fact"
        return Piece(name, kind, value)
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        return Piece(name, "list", value[:MAX_ITEMS])
    return Piece(name, "json" if isinstance(value, dict | list) and value else "fact", value)


def looks_like_markdown(text: str) -> bool:
    """Whether a text gains from being rendered: it has paragraphs, headings, lists or tables."""
    return "\n\n" in text or re.search(r"(?m)^(#{1,6} |[-*] |\d+\. |\|.*\||```)", text) is not None


def _marked(text: str) -> str:
    """Hidden characters as visible marks in the text itself, so that no later step can hide them again."""
    shown = (
        text
        if len(text) <= MAX_TEXT
        else f"{text[:MAX_TEXT]}\n\n[… {len(text) - MAX_TEXT:,} more characters are not shown]"
    )
    shown = shown.replace("\r\n", "\n")
    shown = _HIDDEN.sub(lambda found: f"\u27e6U+{ord(found[0]):04X}\u27e7", shown)
    if sealing.PREFIX in shown:
        shown = sealing.SEALED.sub(lambda found: f"\u27e6sealed:{found[1]}:{found[2]}\u27e7", shown)
    shown = _WORD.sub(_mark_lookalikes, shown)
    return _BLANK_LINES.sub(lambda found: f"\n\n\u27e6{found[0].count(chr(10)) - 1:,} blank lines\u27e7\n\n", shown)


def _shortened(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n\n[… {len(text) - MAX_TEXT:,} more characters are not shown]"


def _mark_lookalikes(found: re.Match[str]) -> str:
    """Each look-alike in a word that mixes it with Latin letters is marked; words of one script are left alone."""
    word = found[0]
    if not (_LATIN.search(word) and _LOOKALIKE.search(word)):
        return word
    return _LOOKALIKE.sub(lambda letter: f"\u27e6U+{ord(letter[0]):04X}\u00b7{letter[0]}\u27e7", word)


def _decorate(safe: str) -> str:
    return _MARK.sub(_badge, safe)


def _badge(found: re.Match[str]) -> str:
    code, letter = found[1], found[2]
    if code.startswith("sealed:"):
        return _lock(code)
    if code.endswith("blank lines"):
        return f'<span class="revealed">{code}</span>'
    name = html.escape(unicodedata.name(chr(int(code.removeprefix("U+"), base=16)), "control character").lower())
    shown = f"{letter} {code}" if letter else code
    return f'<span class="revealed" title="{name}">{shown}</span>'


def _lock(code: str) -> str:
    """A sealed value: what it is tagged as, and where to ask for it."""
    _sealed, tags, token = code.split(":")
    words = f"{tags.upper().replace('+', ', ')} sealed"
    if len(token) > LINKED:
        return f'<span class="revealed">{words}</span>'
    address = f"{_REVEAL}{quote(f'{sealing.PREFIX}{tags}:{token}', safe='')}"
    return f'<a class="revealed" href="{address}">{words}</a>'


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    """Only our own class survives, and only on the host shown after a link."""
    return value if (tag, name) != ("span", "class") or value == "link-host" else None


def _parser_of() -> MarkdownIt:
    parser = (
        MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20})
        .enable("table")
        .enable("strikethrough")
    )
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("link_close", _render_link_close)
    return parser


def _render_image(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """An image would be fetched from wherever the agent says: only its description and host are shown."""
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    return f"[image: {html.escape(token.content or 'no description')}, {html.escape(_host(source))}]"


def _render_link_close(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Any
) -> str:
    """The host after a link's text: the text may claim another one."""
    depth = 0
    for token in reversed(tokens[:index]):
        depth += (token.type == "link_close") - (token.type == "link_open")
        if depth < 0:
            return f'</a> <span class="link-host">({html.escape(_host(str(token.attrGet("href") or "")))})</span>'
    return "</a>"


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "unreadable address"
    return parts.netloc.rpartition("@")[2] or parts.scheme or "no host"


_parser: Final = _parser_of()
