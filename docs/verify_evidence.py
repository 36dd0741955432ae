#!/usr/bin/env python3
# ruff: noqa: T201
"""Check an evidence pack of Watchkeeper offline. Needs Python 3.8 or newer and nothing else.

    python3 verify_evidence.py PACK.zip [--public-key signing.pub] [--export EXPORT.jsonl]

Take this script from a source that you trust, never from the pack, and the public key from the installation's owner.
Checked are: the hash of every file and the signature over them; that every event is as it was sealed, and follows
the event before it where both are in the pack; that each gate's subject is what its seal, its opening event and the
decisions on it name; and that every decision has its event. With --export, an export of the whole ledger that
verify_export.py has checked, also that these events stand in it at these places.
"""

import argparse
import hashlib
import importlib.util
import json
import sys
import zipfile
from decimal import Decimal
from pathlib import Path


def ledger_checks():
    """verify_export.py, which lies beside this script."""
    place = Path(__file__).resolve().with_name("verify_export.py")
    spec = importlib.util.spec_from_file_location("verify_export", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_spelling(value):
    """JSON with one spelling for every number, as it was sealed."""
    if isinstance(value, dict):
        return {key: one_spelling(item) for key, item in value.items()}
    if isinstance(value, list):
        return [one_spelling(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    return value


def seal(subject):
    """SHA-256 over what a reviewer saw."""
    text = json.dumps(one_spelling(subject), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def check_files(pack, public, checks):
    """Yield what is wrong with the files, their hashes and the signature over them."""
    manifest = json.loads(pack.read("manifest.json"))
    signature = json.loads(pack.read("manifest.sig"))
    if public is not None and signature["key"] not in public:
        yield "the pack is signed with a key that is not the installation's"
    if not checks.is_signed(signature["key"], pack.read("manifest.json"), signature["signature"]):
        yield "the signature does not fit manifest.json: the manifest was changed"
    names = {*manifest["files"], "manifest.json", "manifest.sig"}
    if len(set(pack.namelist())) != len(pack.namelist()):
        yield "a name stands twice in the pack"
    for name in sorted(names - set(pack.namelist())):
        yield f"{name} is missing"
    for name in sorted(set(pack.namelist()) - names):
        yield f"{name} was put in afterwards"
    for name, stated in manifest["files"].items():
        if name in pack.namelist() and hashlib.sha256(pack.read(name)).hexdigest() != stated:
            yield f"{name} was changed"


def check_events(events, checks):
    """Yield which events are not as they were sealed."""
    before = None
    for event in events:
        body = checks.event_bytes(event)
        if hashlib.sha256(bytes.fromhex(event["prev_hash"]) + body).hexdigest() != event["hash"]:
            yield f"position {event['pos']}: the event was changed after it was sealed"
        if before and event["pos"] <= before["pos"]:
            yield f"position {event['pos']} is not in order"
        if before and event["pos"] == before["pos"] + 1 and event["prev_hash"] != before["hash"]:
            yield f"position {event['pos']} does not follow the one before it"
        before = event


def check_gates(gates, events):
    """Yield which gates or decisions are not what the log says of them."""
    sealed, decided = {}, {}
    for event in events:
        facts = json.loads(event["data"]) if event["data"] else {}
        if event["kind"] in ("gate.opened", "gate.amended"):
            sealed.setdefault(facts.get("gate"), set()).add(facts.get("seal"))
        elif event["kind"] == "gate.decided":
            decided.setdefault(facts.get("gate"), []).append((event["actor"], facts))
    for gate in gates:
        yield from check_gate(gate, sealed.get(gate["id"]), decided.get(gate["id"], []))


def check_gate(gate, seals, told):
    """Yield what is wrong with one gate: `seals` and `told` are what the log says of it."""
    number = gate["id"]
    if seals is None:
        yield f"gate {number} was never opened in the log"
    elif gate["seal"] not in seals:
        yield f"gate {number}: the log knows no such seal of it"
    if not gate.get("redacted_at") and seal(gate["subject"]) != gate["seal"]:
        yield f"gate {number}: what the reviewer saw was changed"
    for decision in gate["decisions"]:
        if not any(agrees(decision, actor, facts) for actor, facts in told):
            yield f"gate {number}: the log knows no {decision['verdict']} by {decision['by'] or 'its deadline'}"
        if decision["seal"] != gate["seal"]:
            yield f"gate {number}: it was decided about something else"


def agrees(decision, actor, facts):
    """Whether an event tells of this decision."""
    by = actor == f"user:{decision['by']}" if decision["by"] else not actor.startswith("user:")
    return (
        by and facts.get("verdict") == decision["verdict"] and facts.get("seal", decision["seal"]) == decision["seal"]
    )


def check_export(lines, events):
    """Yield which events an export of the ledger does not have."""
    wanted = {event["pos"]: event["hash"] for event in events}
    for line in lines:
        entry = json.loads(line)
        if wanted.pop(entry["pos"], entry["hash"]) != entry["hash"]:
            yield f"position {entry['pos']} is another event in the ledger"
    if wanted:
        yield f"the ledger's export does not reach position {max(wanted)}"


def problems(options):
    """Everything that is wrong."""
    checks = ledger_checks()
    public = Path(options.public_key).read_text(encoding="ascii").split() if options.public_key else None
    with zipfile.ZipFile(options.pack) as pack:
        yield from check_files(pack, public, checks)
        events = [json.loads(line) for line in pack.read("events.jsonl").splitlines()]
        yield from check_events(events, checks)
        yield from check_gates(json.loads(pack.read("gates.json")), events)
        for line in pack.read("anchors.jsonl").splitlines():
            problem = checks.signature_problem(json.loads(line), None, public)
            if problem:
                yield problem
    if options.export:
        with Path(options.export).open(encoding="utf-8") as file:
            yield from check_export(file, events)


def main(arguments=None):
    """Print what was found; exit 0 when everything holds and 1 when anything does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack")
    parser.add_argument("--public-key", help="public keys of the installation, one a line: signing.pub")
    parser.add_argument("--export", help="an export of the ledger, checked with verify_export.py")
    options = parser.parse_args(arguments)
    try:
        found = list(problems(options))
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        found = [f"the pack cannot be read: {error!r}"]
    for problem in found:
        print(f"BROKEN: {problem}")
    if not found:
        whose = "and the key is the installation's" if options.public_key else "(whose key it is was not checked)"
        print(f"OK: files, signature, events and gates hold, {whose}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
