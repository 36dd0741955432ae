"""Entries as lines: JSON, and ArcSight's Common Event Format. Pure.

CEF: `CEF:0|vendor|product|version|event class id|name|severity|extension`. In the header a backslash and a pipe are
escaped, in the extension a backslash and an equals sign; a line break anywhere would begin somebody else's event.
"""

import re
from collections.abc import Mapping
from typing import Final

from monitoring.telemetry.taxonomy import Entry

VERSION: Final = "1"
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_KEY: Final = re.compile(r"[^A-Za-z0-9]+")


def json_line(entry: Entry) -> str:
    """One line of JSON, without what is empty."""
    return entry.model_dump_json(exclude_defaults=True)


def line(entry: Entry) -> str:
    """One line of CEF."""
    head = ("Watchkeeper", "Watchkeeper", VERSION, entry.event, entry.type)
    header = "|".join(_header(part) for part in head)
    return f"CEF:0|{header}|{entry.severity}|{_extension(_fields(entry))}"


def _fields(entry: Entry) -> Mapping[str, str]:
    """CEF's own names where it has them; ours as custom strings with their labels, as it wants."""
    fields = {
        "rt": str(int(entry.at.timestamp() * 1000)), "externalId": str(entry.pos), "act": entry.event,
        "cat": entry.type, "suser": entry.actor.removeprefix("user:") if entry.actor.startswith("user:") else "",
        "sproc": "" if entry.actor.startswith("user:") else entry.actor,
        "cs1Label": "correlationId", "cs1": entry.correlation_id, "cs2Label": "agentId", "cs2": entry.agent_id,
        "cs3Label": "customerIdHash", "cs3": entry.customer_id, "cs4Label": "traceId", "cs4": entry.trace_id,
        "cs5Label": "workflow", "cs5": entry.workflow, "cs6Label": "step", "cs6": entry.step,
        "cn1Label": "runId", "cn1": "" if entry.run_id is None else str(entry.run_id),
        "cn2Label": "taskId", "cn2": "" if entry.task_id is None else str(entry.task_id),
    }  # fmt: skip
    facts = {f"wk{_camel(name)}": _word(value) for name, value in entry.facts.items()}
    kept = {name: value for name, value in fields.items() if value and not name.endswith("Label")}
    labels = {name: value for name, value in fields.items() if name.endswith("Label") and name[:-5] in kept}
    return {**kept, **labels, **facts}


def _extension(fields: Mapping[str, str]) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _header(text: str) -> str:
    return _BREAKS.sub(" ", text).replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return _BREAKS.sub(" ", text).replace("\\", "\\\\").replace("=", "\\=")


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in _KEY.split(name) if part)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
