"""Evidence about runs as one ZIP that proves itself: docs/verify_evidence.py checks it offline, without us.

What is handed over is recorded first, in the same transaction: what cannot be recorded is not handed over.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext

from monitoring.forensics import dossier, mapping
from monitoring.forensics.dossier import Dossier
from monitoring.forensics.searching import Filter
from orchestrator import anchors, events, failpoints, ledger, signing
from orchestrator.events import EventKind

FORMAT: Final = "watchkeeper-evidence/1"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # a ZIP's own times say nothing: the manifest has the moment
_NAMES: Final = ("person", "run", "kind", "correlation", "incident", "agent")


@dataclass(frozen=True, slots=True)
class Pack:
    """A finished file."""

    name: str
    body: bytes


class NothingFound(Exception):
    """Nothing to hand over."""

    def __str__(self) -> str:
        return gettext("No run that you may see is about this.")


@transaction.atomic
def evidence(user: User, wanted: Filter) -> Pack:
    """Everything about the runs of a search. Raises NothingFound and TooMuch.

    1. Gather, and hash every file.
    2. Record that it is handed over, by whom and what about, with the hash of the files' hashes.
    3. Sign the manifest.
    """
    found = _gathered(user, wanted)
    files = dict(_files(found, wanted))
    manifest = _manifest(user, wanted, found, {name: _sha256(body) for name, body in files.items()})
    body = _json(manifest)
    _record(user, wanted, found, what="evidence", digest=_sha256(body))
    public, signature = signing.sign(body)
    files |= {"manifest.json": body, "manifest.sig": _json({"key": public, "signature": signature})}
    return Pack(f"watchkeeper-evidence-{_label(wanted)}.zip", _zip(files))


@transaction.atomic
def narrative(user: User, wanted: Filter, *, as_json: bool) -> Pack:
    """The story alone, as a page or as JSON, with the hashes of the events that it tells of. As above."""
    found = _gathered(user, wanted)
    body = _narrative_json(found, wanted) if as_json else _narrative_page(found, wanted)
    _record(user, wanted, found, what="narrative", digest=_sha256(body))
    return Pack(f"watchkeeper-narrative-{_label(wanted)}.{'json' if as_json else 'html'}", body)


def record_export(user: User, *, last: int) -> None:
    """The whole trail is about to be handed over."""
    failpoints.hit("audit.record")
    data: dict[str, Any] = {"what": "trail", "last": last}
    events.append(EventKind.AUDIT_EXPORTED, actor=f"user:{user.get_username()}", data=data)


def _gathered(user: User, wanted: Filter) -> Dossier:
    found = dossier.gather(user, wanted)
    if not found.runs:
        raise NothingFound
    return found


def _files(found: Dossier, wanted: Filter) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", render_to_string("monitoring/evidence_readme.txt").encode()
    yield "events.jsonl", b"".join(found.events)
    yield "gates.json", _json(found.gates)
    yield "accountable.json", _json(found.accountable)
    yield "runs.json", _json(found.runs)
    yield "agents.json", _json(found.agents)
    yield "narrative.json", _narrative_json(found, wanted)
    yield "narrative.html", _narrative_page(found, wanted)
    yield "mapping.json", _json(mapping.as_rows())
    yield "mapping.html", render_to_string("monitoring/evidence_mapping.html", {"duties": mapping.DUTIES}).encode()
    yield "anchors.jsonl", b"".join(_anchors(found))


def _anchors(found: Dossier) -> Iterator[bytes]:
    """The signed positions around the events, and the last one: enough to hold an export of the ledger against."""
    known = list(anchors.read(ledger.database()))
    places = [json.loads(line)["pos"] for line in found.events]
    first, last = min(places, default=0), max(places, default=0)
    chosen = (
        [one for one in known if first <= one.pos <= last] + [one for one in known if one.pos > last][:1] + known[-1:]
    )
    yield from (_json(anchors.facts(one), indent=None) + b"\n" for one in dict.fromkeys(chosen))


def _manifest(user: User, wanted: Filter, found: Dossier, hashes: Mapping[str, str]) -> dict[str, Any]:
    pos, head = ledger.end()
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": user.get_username(),
        "about": about(wanted),
        "runs": [run["id"] for run in found.runs],
        "hidden_runs": found.hidden,
        "events": len(found.events),
        "gates": len(found.gates),
        "ledger": {"database": ledger.database(), "pos": pos, "hash": head},
        "files": dict(hashes),
    }


def _narrative_json(found: Dossier, wanted: Filter) -> bytes:
    return _json({"about": about(wanted), "manifest": _proof(found), "lines": [_line(*line) for line in found.story]})


def _narrative_page(found: Dossier, wanted: Filter) -> bytes:
    context = {"about": about(wanted), "runs": found.runs, "lines": found.story, "proof": _proof(found)}
    return render_to_string("monitoring/narrative.html", context).encode()


def _proof(found: Dossier) -> dict[str, Any]:
    """What ties the story to the ledger: the hash of the events' own lines, and the places that they take."""
    pos, head = ledger.end()
    events_hash = _sha256(b"".join(found.events))
    return {"events": len(found.events), "events_sha256": events_hash, "ledger_pos": pos, "ledger_hash": head}


def _line(run: int, entry: Any) -> dict[str, Any]:
    told = ("pos", "kind", "who", "name", "text", "step", "gate", "gate_title", "note")
    return {"run": run, "at": entry.at.isoformat(), **{name: str(value) if (value := getattr(entry, name)) is not None
            and not isinstance(value, int) else value for name in told}}  # fmt: skip


def _record(user: User, wanted: Filter, found: Dossier, *, what: str, digest: str) -> None:
    failpoints.hit("audit.record")
    data: dict[str, Any] = {"what": what, "about": about(wanted), "runs": len(found.runs), "sha256": digest}
    events.append(EventKind.AUDIT_EXPORTED, actor=f"user:{user.get_username()}", data=data)


def about(wanted: Filter) -> dict[str, str]:
    """What a search asks for, by name."""
    return {name: value for name in _NAMES if (value := getattr(wanted, name))}


def _label(wanted: Filter) -> str:
    text = "-".join(about(wanted).values())
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)[:60] or "all"


def _json(value: Any, *, indent: int | None = 1) -> bytes:
    # As it came out of the database, a name for a name: the offline check computes seals from it.
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=indent).encode()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _zip(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()
