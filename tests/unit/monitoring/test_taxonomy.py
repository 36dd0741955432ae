"""Every event in others' words: a type each, nothing that anybody wrote, and lines that cannot pretend to be two."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agents.guardrails import keyring
from monitoring.telemetry import cef, taxonomy
from monitoring.telemetry.db import Told
from monitoring.telemetry.taxonomy import Entry
from orchestrator.events import EventKind

AT = datetime(2026, 11, 29, 12, 0, 0, 500_000, tzinfo=UTC)


def told(kind: str = "task.started", *, actor: str = "engine", customer: str | None = None, **data: Any) -> Told:
    return Told(7, 9, 3, 3 << 20, kind, AT, actor, data, "a" * 32, "refund", customer, "check", "checker")


@pytest.mark.parametrize("kind", [kind.value for kind in EventKind])
def test_every_kind_of_event_has_a_type_and_validates(kind: str) -> None:
    entry = taxonomy.entry_of(told(kind))

    assert entry.type in taxonomy.NAMES
    assert Entry.model_validate_json(cef.json_line(entry)) == entry
    assert cef.line(entry).startswith(f"CEF:0|Watchkeeper|Watchkeeper|1|{kind}|{entry.type}|{entry.severity}|")


@pytest.mark.parametrize(
    ("kind", "actor", "data", "type_"),
    [
        ("task.started", "shift:3", {}, "task_start"),
        ("tool.called", "agent:a", {"tool": "t"}, "tool_call"),
        ("gate.decided", "user:ana", {"verdict": "approve"}, "human_decision"),
        ("gate.decided", "user:ana", {"verdict": "edit"}, "human_override"),
        ("gate.decided", "engine", {"verdict": "reject"}, "human_decision"),
        ("run.cancelled", "user:mia", {}, "human_override"),
        ("run.cancelled", "engine", {}, "workflow_end"),
        ("stop.set", "user:mia", {}, "human_override"),
        ("tool.refused", "agent:a", {}, "policy_violation"),
    ],
)
def test_types_are_those_that_siems_look_for(kind: str, actor: str, data: dict[str, Any], type_: str) -> None:
    assert taxonomy.entry_of(told(kind, actor=actor, **data)).type == type_


def test_a_customer_is_a_keyed_hash_that_stays_the_same() -> None:
    first = taxonomy.entry_of(told(customer="C-4711"))
    second = taxonomy.entry_of(told("task.failed", customer=" c-4711 "))

    assert first.customer_id == second.customer_id == keyring.pseudonym("C-4711")
    assert "4711" not in cef.json_line(first) + cef.line(first)
    with pytest.raises(ValidationError):
        Entry(pos=1, event="task.started", type="task_start", severity=1, at=AT, actor="engine", customer_id="C-4711")


def test_what_somebody_wrote_is_left_out_whatever_field_it_stands_in() -> None:
    secret = "sk-proj-Zx81LmnoPqrStuVwx2345678901234567890AbCd"
    data = {
        "reason": "because Erika asked", "note": "Erika", "title": "Erika", "tool": "Erika asked",
        "agent": secret, "verdict": "approve", "queue": "oncall", "gate": 5, "edited": True,
        "error": {"message": "Erika"}, "said": ["Erika"], "model": secret, "a key with spaces Erika": 1,
    }  # fmt: skip

    entry = taxonomy.entry_of(told("gate.decided", **data))

    assert entry.facts == {"verdict": "approve", "queue": "oncall", "gate": 5, "edited": True}
    text = cef.json_line(entry) + cef.line(entry)
    assert "Erika" not in text
    assert secret not in text
    assert entry.agent_id == "checker"


HOSTILE = (
    "ana\nCEF:0|Evil|Evil|1|stop.lifted|x|0|act=lifted", "ana|9|cs1=x", r"ana\|=\n", "ana cs2=root suser=root",
    "ana\u2028second", "ana\r\n<13>1 - - - - - -", "ana\x85x", "=\\|",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_within_its_field(name: str) -> None:
    entry = taxonomy.entry_of(told(actor=f"user:{name}"[:200]))

    line = cef.line(entry)

    assert len(line.splitlines()) == 1
    header, fields = _read(line)
    assert header == ["0", "Watchkeeper", "Watchkeeper", "1", "task.started", "task_start", str(entry.severity)]
    assert fields["suser"] == cef._BREAKS.sub(" ", name)
    assert fields["cs2"] == "checker"
    assert json.loads(cef.json_line(entry))["actor"] == f"user:{name}"
    assert "\n" not in cef.json_line(entry)


def _read(line: str) -> tuple[list[str], dict[str, str]]:
    """As a reader of CEF does: split at what is not escaped, then take the escapes away."""
    parts, part, escaped = [], "", False
    for index, sign in enumerate(line):
        if escaped:
            part, escaped = part + sign, False
        elif sign == "\\" and len(parts) < 7:
            escaped = True
        elif sign == "|" and len(parts) < 7:
            parts.append(part)
            part = ""
            if len(parts) == 7:
                return [parts[0].removeprefix("CEF:"), *parts[1:]], _fields(line[index + 1 :])
        else:
            part += sign
    raise AssertionError("no extension")


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name, value, index = "", "", 0
    while index < len(text):
        sign = text[index]
        if sign == "\\":
            value += text[index + 1]
            index += 1
        elif sign == "=":
            value, _, following = value.rpartition(" ")
            if name:
                found[name] = value
            name, value = following or value, ""
        else:
            value += sign
        index += 1
    found[name] = value
    return found
