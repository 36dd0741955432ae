"""`manage.py seed_volume`: store synthetic history at the size of years, to see how pages and claims bear it."""

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.volume import filling, world
from config.volume.shapes import Sizes

_USUAL = Sizes()


class Command(BaseCommand):
    help = (
        "Store runs, tasks, gates, decisions and a sealed event log of workflows whose names begin with volume-. "
        "Refuses where other runs are stored. What is stored is evidence and cannot be deleted: use a database for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Sizes; those of DESIGN by default."""
        parser.add_argument("--tasks", type=_number, default=_USUAL.tasks)
        parser.add_argument("--gates", type=_number, help="a fiftieth of the tasks by default")
        parser.add_argument("--open-gates", type=_number, help="how many of them still wait; a quarter by default")
        parser.add_argument("--events", type=_number, help="ten a task by default")
        parser.add_argument("--months", type=int, default=_USUAL.months, choices=range(1, 121), metavar="1-120")
        parser.add_argument(
            "--beside-real-data", action="store_true", help="also where runs of other workflows are stored"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what is under way on standard error, and what there is now on standard output."""
        sizes = _sizes(options)
        if problem := sizes.problem():
            raise CommandError(problem)
        if world.has_other_runs() and not options["beside_real_data"]:
            raise CommandError(
                "Runs of other workflows are stored here, and synthetic history cannot be taken out again. "
                "Name another database with DATABASE_URL, or say --beside-real-data if you mean it."
            )
        began = time.monotonic()
        found = filling.fill(sizes, say=_say)
        self.stdout.write(
            f"{found.runs:,} runs, {found.tasks:,} tasks, {found.gates:,} gates ({found.open_gates:,} open), "
            f"{found.events:,} sealed events in {time.monotonic() - began:.0f} s."
        )


def _sizes(options: dict[str, Any]) -> Sizes:
    tasks: int = options["tasks"]
    gates = options["gates"] if options["gates"] is not None else tasks // 50
    open_gates = options["open_gates"] if options["open_gates"] is not None else gates // 4
    events = options["events"] if options["events"] is not None else 10 * tasks
    return Sizes(tasks=tasks, gates=gates, open_gates=open_gates, events=events, months=options["months"])


def _number(text: str) -> int:
    value = int(text.replace(",", "").replace("_", ""))
    if value < 0:
        raise ValueError
    return value


def _say(line: str) -> None:
    print(f"seed_volume: {line}", file=sys.stderr, flush=True)
