"""Is everything there? Required fields hold something, required sections have words under their heading. No Django."""

import re
from typing import Any, Final

from agents.quality.paths import MISSING, at
from agents.quality.types import Component, Finding, QualitySpec

_PLACEHOLDER = re.compile(
    r"(?:to ?do|tbd|tba|tbc|n/?a|xxx+|\.{3,}|…|-+|\?+|lorem ipsum.*|\[?(?:insert|placeholder|fill in)\b.*)\.?",
    re.IGNORECASE | re.DOTALL,
)
_HEADING = re.compile(r"^(?:#{1,6}\s+(?P<mark>.+?)\s*#*|\*\*(?P<bold>.+?)\*\*:?|(?P<plain>[A-Z][^\n:]{0,80}):)\s*$")
NAME: Final = "completeness"
LONGEST_LINE: Final = 200  # longer lines are no headings, and longer texts no placeholders: patterns stay quick


def check(spec: QualitySpec, output: dict[str, Any], *, weight: float) -> Component:
    """The share of what is required that is there; each missing element is named."""
    missing = [_missing(path) for path in spec.required if is_empty(at(output, path))]
    text = at(output, spec.text) if spec.text else "\n".join(v for v in output.values() if isinstance(v, str))
    missing += _missing_sections(spec, str(text) if text is not MISSING else "")
    wanted = len(spec.required) + len(spec.sections)
    score = 1 - len(missing) / wanted if wanted else 1.0
    return Component(NAME, score, weight, not missing, tuple(missing))


def is_empty(value: Any) -> bool:
    """Nothing, an empty container, blank text, or a placeholder that stands for text still to come."""
    if value is MISSING or value is None or value in ("", [], {}):
        return True
    if not isinstance(value, str):
        return False
    text = value.strip()
    return not text or (len(text) <= LONGEST_LINE and _PLACEHOLDER.fullmatch(text) is not None)


def _missing(path: str) -> Finding:
    return Finding(NAME, path, f"{path} is missing, empty or a placeholder.")


def _missing_sections(spec: QualitySpec, text: str) -> list[Finding]:
    bodies = _sections(text)
    return [
        Finding(NAME, spec.text or "(text)", f'Section "{title}" is missing or has nothing under it.')
        for title in spec.sections
        if is_empty(bodies.get(title.strip().casefold(), ""))
    ]


def _sections(text: str) -> dict[str, str]:
    """What stands under each heading, up to the next one."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if len(line) <= LONGEST_LINE and (match := _HEADING.match(line.strip())):
            title = (match["mark"] or match["bold"] or match["plain"]).strip().rstrip(":").casefold()
            current = found.setdefault(title, [])
        else:
            current.append(line)
    return {title: "\n".join(lines).strip() for title, lines in found.items()}
