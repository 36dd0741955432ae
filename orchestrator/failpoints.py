"""Named places where a test, or an operator rehearsing, makes the process fail on purpose.

`WATCHKEEPER_FAILPOINTS="turn.after=raise:0.1;start.committed=exit"`: name, action (raise, exit, sleep:<seconds>) and,
for raise and exit, a probability. A point named `*.after` lies behind the database's answer: raising there is
*execute-then-raise*, the commit whose answer is lost.
"""

import os
import random
import time

ENVIRONMENT = "WATCHKEEPER_FAILPOINTS"


class Injected(Exception):
    """Failpoint {0} fired."""


def parse(text: str) -> dict[str, tuple[str, float]]:
    """`name=action[:number];...` as {name: (action, number)}; raises ValueError naming the bad part."""
    points: dict[str, tuple[str, float]] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, action = part.partition("=")
        verb, _, number = action.partition(":")
        if verb not in {"raise", "exit", "sleep"}:
            raise ValueError(f"{ENVIRONMENT}: {part!r} is not name=raise|exit|sleep[:number].")
        points[name] = (verb, float(number) if number else 1.0)
    return points


_points = parse(os.environ.get(ENVIRONMENT, ""))
_random = random.Random(os.environ.get("WATCHKEEPER_FAILPOINT_SEED", "7"))


def configure(text: str) -> None:
    """Replace the active failpoints of this process."""
    global _points
    _points = parse(text)


def hit(name: str) -> None:
    """Do what the failpoint `name` is set to, which is nothing unless it is set."""
    if not _points or name not in _points:
        return
    verb, number = _points[name]
    if verb == "sleep":
        time.sleep(number)
    elif _random.random() < number:
        if verb == "exit":
            os._exit(1)
        raise Injected(name)
