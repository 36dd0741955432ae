#!/usr/bin/env python3
# ruff: noqa: T201
"""Check an export of Watchkeeper's ledger offline. Needs Python 3.8 or newer and nothing else.

    python3 verify_export.py EXPORT.jsonl [--anchors ANCHORS.jsonl [--key anchor.key]] [--after HASH]

Every line holds one event and its place in the chain:
    hash = SHA-256(prev_hash || id, run, task, kind, microseconds since 1970, actor, data joined by byte 0x1F)
where an absent value is empty. An export that starts at position 1 must start from 32 zero bytes; for a later part give
the hash of the position before it with --after. Anchors are signed "position|hash|time" with HMAC-SHA256.
"""

import argparse
import hashlib
import hmac
import json
import sys
from pathlib import Path

START = "00" * 32
FIELDS = ("id", "run_id", "task_id", "kind", "at_us", "actor", "data")


def event_bytes(entry):
    """The bytes that were hashed when the event was sealed."""
    return "\x1f".join("" if entry[name] is None else str(entry[name]) for name in FIELDS).encode("utf-8")


def check_chain(lines, after):
    """Return ({pos: hash}, problem); the problem names the first bad position."""
    hashes, prev, expected = {}, after, None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            pos, body = entry["pos"], event_bytes(entry)
            stated_prev, stated = entry["prev_hash"], entry["hash"]
        except (ValueError, KeyError, TypeError) as error:
            return hashes, f"line {number} is not an exported event: {error!r}"
        if expected is None:
            expected = pos
            prev = prev or (START if pos == 1 else stated_prev)
        if pos != expected:
            return hashes, f"position {expected} is missing"
        if stated_prev != prev:
            return hashes, f"position {pos} does not follow the one before it"
        if hashlib.sha256(bytes.fromhex(prev) + body).hexdigest() != stated:
            return hashes, f"position {pos}: the event was changed after it was sealed"
        hashes[pos], prev, expected = stated, stated, pos + 1
    return hashes, None


def check_anchors(lines, hashes, key):
    """Return (number of anchors that fall into the export, problem)."""
    seen = 0
    last = max(hashes, default=0)
    for line in lines:
        anchor = json.loads(line)
        pos, stated = anchor["pos"], anchor["hash"]
        signed = f"{pos}|{stated}|{anchor['at']}".encode()
        if key and not hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).hexdigest(), anchor["signature"]):
            return seen, f"the anchor at position {pos} has a false signature"
        if pos > last:
            return seen, f"the export ends at position {last}, but an anchor shows position {pos}"
        if pos in hashes:
            seen += 1
            if hashes[pos] != stated:
                return seen, f"the ledger was rewritten at or before position {pos}"
    return seen, None


def main(arguments=None):
    """Print one line; exit 0 when everything holds and 1 when anything does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export")
    parser.add_argument("--anchors")
    parser.add_argument("--key")
    parser.add_argument("--after", help="hash of the position before the first one exported (hex)")
    options = parser.parse_args(arguments)
    with Path(options.export).open(encoding="utf-8") as file:
        hashes, problem = check_chain(file, options.after)
    seen = 0
    if problem is None and options.anchors:
        key = bytes.fromhex(Path(options.key).read_text(encoding="ascii").strip()) if options.key else None
        with Path(options.anchors).open(encoding="utf-8") as file:
            seen, problem = check_anchors(file, hashes, key)
    if problem:
        print(f"BROKEN: {problem}")
        return 1
    end = hashes[max(hashes)] if hashes else START
    print(f"OK: {len(hashes)} events hold, {seen} anchors agree, last hash {end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
