"""`make reset`: empty the data directory, after asking and only while nothing runs on it."""

import sys

from config.console import Console
from config.datadir import DataDir, NeedsAttention
from config.supervisor import ROOT, chosen_port


def main() -> int:
    """Ask, then empty; anything but yes changes nothing."""
    console = Console()
    try:
        home = DataDir.of(ROOT, chosen_port())
        if not home.contents():
            console.say(f"{home.path} is empty already.")
            return 0
        home.create()
        home.lock()
        console.say(f"This deletes the database, the accounts and the logs in {home.path}.")
        if not _agreed():
            console.say("Nothing was deleted.")
            return 1
        with console.step(f"Emptied {home.path}"):
            home.empty()
    except NeedsAttention as problem:
        console.problem(str(problem))
        return 1
    return 0


def _agreed() -> bool:
    try:
        return input("  Go on? Type y or yes: ").strip().lower() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False


if __name__ == "__main__":
    sys.exit(main())
