#!/usr/bin/env python3
# ruff: noqa: T201
"""Check an export of Watchkeeper's ledger offline. Needs Python 3.8 or newer and nothing else.

    python3 verify_export.py EXPORT.jsonl [--after HASH]
        [--anchors ANCHORS.jsonl [--public-key signing.pub] [--key anchor.key]]

Every line holds one event and its place in the chain:
    hash = SHA-256(prev_hash || id, run, task, kind, microseconds since 1970, actor, data joined by byte 0x1F)
where an absent value is empty. An export that starts at position 1 must start from 32 zero bytes; for a later part
give the hash of the position before it with --after. Anchors are signed "position|hash|time" with Ed25519 (RFC 8032);
those of earlier releases, which name no key, with HMAC-SHA256.
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


# Ed25519 by the book (RFC 8032, section 5.1): slow and plain, for a few thousand signatures.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(one, two):
    """The sum of two points in extended coordinates."""
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    """A point added to itself so often."""
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def point_of(text):
    """The point that 32 bytes stand for, or None."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public, body, signature):
    """Whether the owner of this public key (hex) has signed these bytes."""
    try:
        key, proof = bytes.fromhex(public), bytes.fromhex(signature)
    except ValueError:
        return False
    if len(key) != 32 or len(proof) != 64:
        return False
    owner, point, number = point_of(key), point_of(proof[:32]), int.from_bytes(proof[32:], "little")
    if owner is None or point is None or number >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(proof[:32] + key + body).digest(), "little") % ORDER
    left, right = times(number, BASE), add(point, times(challenge, owner))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def signature_problem(anchor, key, public):
    """What is wrong with an anchor's signature, as far as the given keys can tell."""
    signed = f"{anchor['pos']}|{anchor['hash']}|{anchor['at']}".encode()
    if anchor.get("key"):
        if public is None:
            return None
        if anchor["key"] not in public:
            return f"the anchor at position {anchor['pos']} is signed with a key that is not yours"
        is_false = not is_signed(anchor["key"], signed, anchor["signature"])
    else:
        is_false = key and not hmac.compare_digest(
            hmac.new(key, signed, hashlib.sha256).hexdigest(), anchor["signature"]
        )
    return f"the anchor at position {anchor['pos']} has a false signature" if is_false else None


def check_anchors(lines, hashes, key, public=None):
    """Return (number of anchors that fall into the export, problem)."""
    seen = 0
    last = max(hashes, default=0)
    for line in lines:
        anchor = json.loads(line)
        pos, stated = anchor["pos"], anchor["hash"]
        problem = signature_problem(anchor, key, public)
        if problem:
            return seen, problem
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
    parser.add_argument("--public-key", help="public keys of the installation, one a line: signing.pub")
    parser.add_argument("--key", help="of anchors of earlier releases")
    parser.add_argument("--after", help="hash of the position before the first one exported (hex)")
    options = parser.parse_args(arguments)
    with Path(options.export).open(encoding="utf-8") as file:
        hashes, problem = check_chain(file, options.after)
    seen = 0
    if problem is None and options.anchors:
        key = bytes.fromhex(Path(options.key).read_text(encoding="ascii").strip()) if options.key else None
        public = Path(options.public_key).read_text(encoding="ascii").split() if options.public_key else None
        with Path(options.anchors).open(encoding="utf-8") as file:
            seen, problem = check_anchors(file, hashes, key, public)
    if problem:
        print(f"BROKEN: {problem}")
        return 1
    end = hashes[max(hashes)] if hashes else START
    print(f"OK: {len(hashes)} events hold, {seen} anchors agree, last hash {end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
