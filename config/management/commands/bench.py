"""`manage.py bench WORKLOAD [--json]`: measure the product on a database and workers of its own."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

import config.bench.agents  # noqa: F401  registers them in this process
from config.bench import desk, flood, guard, interruptions, language, live, messaging, pages, report, throughput, volume
from config.bench.measure import Result
from config.bench.plan import Bench
from config.bench.server import Server
from config.bench.stack import TookTooLong
from config.console import Console
from config.datadir import NeedsAttention
from config.supervisor import Stop, stop_on_signals

_WORKLOADS: Final[dict[str, tuple[Callable[[Bench], Result], ...]]] = {
    "chain": (throughput.chain,),
    "fanout": (throughput.fanout,),
    "runs": (throughput.runs,),
    "gate": (interruptions.gate,),
    "wait": (partial(throughput.wait, agents=1000), partial(throughput.wait, agents=10_000)),
    "workers": (throughput.workers,),
    "crash": (interruptions.crash,),
    "fair": (throughput.fair,),
    "halt": (interruptions.halt,),
    "messages": (messaging.messages,),
    "guard": (guard.guard,),
    "live": (live.live,),
    "flood": (flood.flood,),
    "desk": (desk.desk,),
    "pages": (pages.pages,),
    "llm": (language.llm,),
    "scale": (volume.scale,),
    "soak": (volume.soak,),
}
_LONG: Final = ("soak", "pages")  # half an hour, and the time that it takes to store a million tasks


class Command(BaseCommand):
    help = "Measure a workload, or all, with real workers on a database that is made for it and removed afterwards."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Which workload, and in what form."""
        parser.add_argument("workload", choices=[*_WORKLOADS, "all"], help="what to measure")
        parser.add_argument("--json", action="store_true", help="print one JSON object on a line for each measurement")
        parser.add_argument(
            "--scale", type=_share, default=1.0, help="make every size this much smaller, measure once: a quick trial"
        )
        parser.add_argument(
            "--schema", default="", help="copy this database of the server in DATABASE_URL, do not migrate"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure; on `all` without --json and at full size, also write docs/benchmarks.md."""
        # What libraries print must not come between the lines of JSON, nor children's output.
        usual = [name for name in _WORKLOADS if name not in _LONG]
        chosen = usual if options["workload"] == "all" else [options["workload"]]
        server = Server(os.environ.get("DATABASE_URL", ""), schema=options["schema"])
        try:
            with stop_on_signals():
                results, failed = self._measure(server, chosen, scale=options["scale"], as_json=options["json"])
        except Stop:
            raise CommandError("Stopped; nothing was kept.", returncode=130) from None
        except NeedsAttention as problem:
            raise CommandError(str(problem)) from None
        if not options["json"] and results:
            self._tell(server, results, options)
        if failed:
            raise CommandError(" ".join(failed))

    def _tell(self, server: Server, results: list[Result], options: dict[str, Any]) -> None:
        console = Console()
        console.table(report.table(results))
        if options["workload"] == "all" and options["scale"] >= 1:
            report.write(Path(settings.BASE_DIR) / "docs" / "benchmarks.md", results, postgres=server.version)
            console.say()
            console.say("Written to docs/benchmarks.md.")

    def _measure(
        self, server: Server, chosen: list[str], *, scale: float, as_json: bool
    ) -> tuple[list[Result], list[str]]:
        """The results, and a sentence for each workload that gave none: the others are kept all the same."""
        results, failed = [], []
        try:
            _say("starting PostgreSQL")
            server.start()
            for name, workload in _each(chosen):
                _say(f"{name}: starting workers")
                try:
                    results.append(workload(Bench(server, name, scale, _say)))
                except (TookTooLong, psycopg.Error) as problem:
                    failed.append(f"{name} was not measured: {str(problem).rstrip('.')}.")
                    continue
                if as_json:
                    self.stdout.write(json.dumps(results[-1].as_dict()))
                    self.stdout.flush()
        finally:
            server.stop()
        return results, failed


def _each(chosen: list[str]) -> Iterator[tuple[str, Callable[[Bench], Result]]]:
    for name in chosen:
        for workload in _WORKLOADS[name]:
            yield name, workload


def _say(line: str) -> None:
    """Progress goes to standard error: standard output carries the result alone."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError
    return value
