"""`manage.py dataset`: make datasets of decisions or files, and export them as JSONL."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.evaluation import datasets, sources
from agents.evaluation.cases import MOST_BYTES, CasesRefused, read_jsonl, write_jsonl
from agents.models import Dataset
from orchestrator import events


class Command(BaseCommand):
    help = "Make a dataset of people's decisions about an agent, or of a JSONL file; export one as JSONL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=("decisions", "import", "export", "list"))
        parser.add_argument("name", nargs="?", default="")
        parser.add_argument("--agent", default="", help="whose decisions, or whose cases these are")
        parser.add_argument("--file", type=Path, help="the JSONL file; standard output for an export without it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except CasesRefused as problem:
            raise CommandError(str(problem)) from None

    def _decisions(self, options: dict[str, Any]) -> None:
        if not options["agent"]:
            raise CommandError("Name the agent with --agent.")
        found = datasets.from_decisions(options["agent"])
        self._keep(options, found, {"kind": "decisions", "agent": options["agent"]})

    def _import(self, options: dict[str, Any]) -> None:
        path: Path | None = options["file"]
        if path is None or not path.is_file():
            raise CommandError("Name a file that exists with --file.")
        if path.stat().st_size > MOST_BYTES:
            raise CasesRefused(f"The file is larger than {MOST_BYTES:,} bytes: split it.")
        self._keep(options, read_jsonl(path.read_bytes()), {"kind": "file", "file": path.name})

    def _keep(self, options: dict[str, Any], found: Any, provenance: dict[str, Any]) -> None:
        made = datasets.keep(options["name"], found, agent=options["agent"], by="command", provenance=provenance)
        tell(made, actor="engine")
        personal = ", ".join(f"{count} with {kind}" for kind, count in made.personal.items()) or "none seen"
        self.stdout.write(
            f"{made.name}: {made.cases} cases, {made.dropped} repeated, {made.contradicting} contradicting; "
            f"personal data: {personal}; {made.digest[:12]}"
        )

    def _export(self, options: dict[str, Any]) -> None:
        body = write_jsonl(sources.find(options["name"]).cases)
        if options["file"]:
            options["file"].write_bytes(body)
        else:
            sys.stdout.buffer.write(body)

    def _list(self, options: dict[str, Any]) -> None:
        for name in sorted(sources.BUILT_IN):
            self.stdout.write(f"{name:30} comes with the product")
        for row in Dataset.objects.order_by("name", "-id"):
            self.stdout.write(
                f"{row.name:30} {row.cases:6} cases {row.digest[:12]} {row.created_at:%Y-%m-%d} {row.agent}"
            )


def tell(made: Dataset, *, actor: str) -> None:
    """The event of a dataset that was kept."""
    events.append("dataset.kept", actor=actor, data={"dataset": made.name, "digest": made.digest, "cases": made.cases})
