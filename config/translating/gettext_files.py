"""Reads and writes gettext's two files: .po for people, .mo for Django. Standard library, so that no tool is asked for.

Format: https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html and .../MO-Files.html.
"""

import ast
import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")$')
_MAGIC = 0x950412DE


@dataclass(slots=True)
class Entry:
    """One text with its translation: one form, or two if it has a plural."""

    text: str
    plural: str = ""
    context: str = ""
    said: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    fuzzy: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every form is there."""
        return len(self.said) == (2 if self.plural else 1) and all(self.said)


def read(path: Path) -> list[Entry]:
    """The entries of a .po file, its header left out; none if there is no file."""
    blocks = path.read_text(encoding="utf-8").split("\n\n") if path.exists() else []
    return [entry for entry in map(_entry, blocks) if entry.text]


def _entry(block: str) -> Entry:
    parts: dict[str, str] = {}
    files: list[str] = []
    fuzzy, current = False, ""
    for line in block.splitlines():
        if line.startswith("#:"):
            files += line[2:].split()
        elif line.startswith("#,"):
            fuzzy = fuzzy or "fuzzy" in line
        elif line.startswith('"'):
            parts[current] += ast.literal_eval(line)
        elif match := _LINE.match(line):
            current = match[1]
            parts[current] = ast.literal_eval(match[2])
    said = [text for name, text in parts.items() if name.startswith("msgstr")]
    return Entry(
        parts.get("msgid", ""), parts.get("msgid_plural", ""), parts.get("msgctxt", ""), said, files, fuzzy=fuzzy
    )


def write(path: Path, entries: Iterable[Entry], header: str) -> None:
    """A .po file: one line a text, so that a change of one is a change of one line."""
    blocks = [f'msgid ""\nmsgstr {_quoted(header)}', *("\n".join(_lines(entry)) for entry in entries)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _lines(entry: Entry) -> Iterator[str]:
    yield from (f"#: {file}" for file in entry.files)
    if entry.fuzzy:
        yield "#, fuzzy"
    if entry.context:
        yield f"msgctxt {_quoted(entry.context)}"
    yield f"msgid {_quoted(entry.text)}"
    said = entry.said or [""]
    if not entry.plural:
        yield f"msgstr {_quoted(said[0])}"
        return
    yield f"msgid_plural {_quoted(entry.plural)}"
    for at, form in enumerate(said if len(said) == 2 else ("", "")):
        yield f"msgstr[{at}] {_quoted(form)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def compiled(entries: Iterable[Entry], header: str) -> bytes:
    """A .mo file: what is whole and no guess, sorted, in two tables of lengths and places."""
    pairs = {b"": header.encode()}
    for entry in entries:
        if entry.is_whole and not entry.fuzzy:
            key = "\0".join(filter(None, (entry.text, entry.plural)))
            pairs[(f"{entry.context}\4{key}" if entry.context else key).encode()] = "\0".join(entry.said).encode()
    keys = sorted(pairs)
    texts = [*keys, *(pairs[key] for key in keys)]
    start = 28 + 8 * len(texts)
    table, at = [], start
    for text in texts:
        table += [len(text), at]
        at += len(text) + 1
    head = struct.pack("<7I", _MAGIC, 0, len(keys), 28, 28 + 8 * len(keys), 0, start)
    return head + struct.pack(f"<{len(table)}I", *table) + b"".join(text + b"\0" for text in texts)
