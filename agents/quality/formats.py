"""Does it have the form that was declared? JSON Schema with a pointer to the field, and named formats. No Django."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema_rs
import orjson

from agents.quality.paths import MISSING, at
from agents.quality.types import Component, Finding, QualitySpec

NAME: Final = "format"
MOST: Final = 50


def check(spec: QualitySpec, output: dict[str, Any], *, weight: float) -> Component:
    """All right is 1; each field that breaks its form takes its share of what was declared."""
    broken = _schema_flaws(spec, output) if spec.schema else []
    broken += [flaw for path, name in spec.formats.items() if (flaw := _format_flaw(path, name, output))]
    fields = spec.schema.get("properties")
    of_schema = len(fields) if isinstance(fields, dict) and fields else int(bool(spec.schema))
    declared = max(1, len(spec.formats) + of_schema)
    score = max(0.0, 1 - len({finding.path for finding in broken}) / declared)
    return Component(NAME, score, weight, not broken, tuple(broken[:MOST]))


def _schema_flaws(spec: QualitySpec, output: dict[str, Any]) -> list[Finding]:
    found = []
    for error in _validator(orjson.dumps(spec.schema)).iter_errors(output):
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path)
        found.append(Finding(NAME, pointer or "/", str(error.message)[:300]))
        if len(found) >= MOST:
            break
    return found


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(
        orjson.loads(schema), validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _format_flaw(path: str, name: str, output: dict[str, Any]) -> Finding | None:
    value = at(output, path)
    if value is MISSING or value is None:
        return None  # that it must be there is for completeness to say
    items = value if isinstance(value, list) else [value]
    wrong = next((item for item in items if not isinstance(item, str) or not _fits(FORMATS[name], item)), None)
    if wrong is None:
        return None
    return Finding(NAME, path, f"{path} is not in the form {name}.", quote=str(wrong)[:200])


def _fits(test: Callable[[str], object], text: str) -> bool:
    try:
        return bool(test(text))
    except ValueError:
        return False


def _matches(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.ASCII).fullmatch


def _url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in text


FORMATS: Final[Mapping[str, Callable[[str], object]]] = {
    "date": date.fromisoformat,
    "datetime": lambda text: datetime.fromisoformat(text).tzinfo,
    "email": _matches(r"[^@\s]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"),
    "url": _url,
    "uuid": _matches(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "cve": _matches(r"CVE-\d{4}-\d{4,7}"),
    "currency": _matches(r"[A-Z]{3} -?\d+(\.\d{2})?"),
    "one_line": lambda text: text.strip() and "\n" not in text,
}
