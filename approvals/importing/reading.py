"""A file of answers as lines: JSON, one object a line, or CSV with a column for each field. Pure."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from django.utils.translation import gettext as _

from agents.types import Json
from approvals.errors import ApprovalsError

MOST_LINES: Final = 1000
MOST_BYTES: Final = 2_000_000
_NAMING: Final = ("run", "correlation_id", "step")


class FileUnreadable(ApprovalsError):
    """Line {line} cannot be read: {problem}. Nothing was done; mend the file and send it again."""

    code = "file_unreadable"
    status = 422


@dataclass(frozen=True, slots=True)
class Line:
    """One answer: to which step of which run, and what was given. `typed` holds cells that the step's schema reads."""

    number: int
    step: str
    run: int | None = None
    correlation_id: str = ""
    answer: dict[str, Json] = field(default_factory=dict)
    typed: dict[str, str] | None = None


def read(content: bytes) -> list[Line]:
    """The lines of a file. Raises FileUnreadable, for the first line that is none."""
    if len(content) > MOST_BYTES:
        raise FileUnreadable(
            line=1, problem=_("the file is larger than %(most)s bytes; send it in parts") % {"most": f"{MOST_BYTES:,}"}
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = content[: error.start].count(b"\n") + 1
        raise FileUnreadable(line=at, problem=_("it is not UTF-8; save the file as UTF-8")) from error
    if not text.strip():
        raise FileUnreadable(line=1, problem=_("there is no answer in the file"))
    found = list(_json_lines(text) if text.lstrip()[:1] == "{" else _csv_lines(text))
    if not found:
        raise FileUnreadable(line=1, problem=_("there is no answer in the file"))
    if len(found) > MOST_LINES:
        raise FileUnreadable(
            line=MOST_LINES + 1,
            problem=_("a file may hold %(most)s answers; send it in parts") % {"most": f"{MOST_LINES:,}"},
        )
    return found


def line_of(number: int, said: Any) -> Line:
    """One answer that came as an object: `run` or `correlation_id`, `step`, `answer`. Raises FileUnreadable."""
    if not isinstance(said, dict) or not isinstance(said.get("answer"), dict):
        raise FileUnreadable(line=number, problem=_('it must be an object with "run", "step" and an object "answer"'))
    if strange := sorted(said.keys() - {*_NAMING, "answer"}):
        raise FileUnreadable(
            line=number, problem=_("%(name)r is not known beside run, step and answer") % {"name": strange[0][:50]}
        )
    run, correlation = _named(number, said.get("run"), said.get("correlation_id"))
    return Line(number, _step(number, said.get("step")), run, correlation, answer=said["answer"])


def _json_lines(text: str) -> Iterator[Line]:
    for number, row in enumerate(text.splitlines(), 1):
        if row.strip():
            try:
                said = orjson.loads(row)
            except orjson.JSONDecodeError as problem:
                raise FileUnreadable(line=number, problem=_("it is not JSON (%(why)s)") % {"why": problem}) from problem
            yield line_of(number, said)


def _csv_lines(text: str) -> Iterator[Line]:
    first = text.split("\n", 1)[0]
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    heads = [head.strip() for head in table.fieldnames or ()]
    if "step" not in heads or not {"run", "correlation_id"} & set(heads) or len(set(heads)) < len(heads):
        problem = _('the first line must name the columns "run" (or "correlation_id"), "step" and each field, once')
        raise FileUnreadable(line=1, problem=problem)
    table.fieldnames = heads
    try:
        for row in table:
            number = table.line_num
            if None in row:
                raise FileUnreadable(line=number, problem=_("it has more cells than there are columns"))
            run, correlation = _named(number, row.get("run"), row.get("correlation_id"))
            cells = {name: cell for name, cell in row.items() if name not in _NAMING and cell is not None}
            yield Line(number, _step(number, row.get("step")), run, correlation, typed=cells)
    except csv.Error as problem:
        raise FileUnreadable(line=table.line_num, problem=str(problem)) from problem


def _named(number: int, run: Any, correlation: Any) -> tuple[int | None, str]:
    ref = str(run if run is not None else "").strip()
    if ref and not (ref.isascii() and ref.isdecimal() and len(ref) < 12):
        raise FileUnreadable(line=number, problem=_("%(ref)r is no number of a run") % {"ref": ref[:50]})
    said = str(correlation or "").strip()
    if not ref and not said:
        raise FileUnreadable(line=number, problem=_("it names neither a run nor a correlation_id"))
    return (int(ref) if ref else None), said[:100]


def _step(number: int, said: Any) -> str:
    if not isinstance(said, str) or not said.strip():
        raise FileUnreadable(line=number, problem=_("it names no step"))
    return said.strip()[:100]
