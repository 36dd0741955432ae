"""The catalogues under `config/locale`: brought up to date, compiled, looked through for what would break a page."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from config.translating.gettext_files import Entry, compiled, read, write
from config.translating.messages import Message

LOCALE = Path(__file__).resolve().parents[1] / "locale"
# What a page puts values into: %(name)s with its format, %s, %%, {name} of errors, and mark-up.
_PLACE = re.compile(r"%\(\w+\)[#0+.\d]*[a-z]|%[sd%]|\{\w+[^}]*\}|</?\w[^>]*>")
_HEADER = (
    "Language: {language}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
)


def source(language: str) -> Path:
    """The catalogue that people write."""
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def machine(language: str) -> Path:
    """What Django reads, made of it."""
    return source(language).with_suffix(".mo")


def made(language: str) -> bytes:
    """What `machine` should hold."""
    return compiled(read(source(language)), _HEADER.format(language=language))


def update(language: str, messages: Iterable[Message]) -> None:
    """Write both anew: what is known keeps its translation, what nobody says any more goes, and nothing is guessed."""
    known = {(entry.context, entry.text, entry.plural): entry for entry in read(source(language))}
    entries = []
    for message in messages:
        entry = Entry(message.text, message.plural, message.context, files=message.files)
        if before := known.get((message.context, message.text, message.plural)):
            entry.said, entry.fuzzy = before.said, before.fuzzy
        entries.append(entry)
    write(source(language), entries, _HEADER.format(language=language))
    machine(language).write_bytes(made(language))


def broken(entries: Iterable[Entry]) -> Iterator[str]:
    """What would break or bend a page: a marked guess, a lost or unknown place, a sentence glued to its neighbour."""
    for entry in entries:
        if entry.fuzzy:
            yield f"{entry.text!r} is marked fuzzy: it is left out until somebody has looked at it"
        if entry.is_whole:
            yield from _broken(entry)


def _broken(entry: Entry) -> Iterator[str]:
    places = _places(entry.plural or entry.text)
    for form in entry.said:
        # "One vote is missing" may do without the number; nothing may ask for what is not given.
        if _places(form) != places and not (entry.plural and set(_places(form)) <= set(places)):
            yield f"{entry.text!r}: {form!r} has other places than the original"
        if form.endswith(" ") != entry.text.endswith(" "):
            yield f"{entry.text!r}: {form!r} is glued to what follows it"


def _places(text: str) -> list[str]:
    return sorted(_PLACE.findall(text))
