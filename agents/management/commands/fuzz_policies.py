"""`manage.py fuzz_policies`: random and hostile calls against policies; fails if one is let further than it may go."""

import random
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents import registry
from agents.errors import PolicyInvalid
from agents.models import PolicyVersion, Revocation
from agents.policies import documents
from agents.policies.fuzz import Report, fuzz
from agents.tools import registry as tools


class Command(BaseCommand):
    help = "Judge many random calls by the policies in force (or by files) and by an independent oracle."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="Policy files; without any, the policies in force.")
        parser.add_argument("--count", type=int, default=10_000, help="Calls for each policy.")
        parser.add_argument("--seed", type=int, default=None)
        parser.add_argument(
            "--allow-unjudged", action="store_true", help="Conditions beyond the oracle do not fail it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        registry.autodiscover()
        tools.autodiscover()
        seed = options["seed"] if options["seed"] is not None else random.randrange(2**32)
        found, escalated, unjudged = 0, 0, 0
        for source, revoked in _sources(options["files"]):
            try:
                document = documents.read(source)
            except PolicyInvalid as problem:
                raise CommandError(str(problem)) from problem
            known = {spec.name: spec for spec in tools.default.specs()}
            report = fuzz(source, document, count=options["count"], seed=seed, revoked=revoked, tools=known)
            self._print(document.name, report, seed)
            found += 1
            escalated += len(report.escalations)
            unjudged += len(report.unjudged)
        if escalated:
            raise CommandError(f"{escalated} escalations; see above.", returncode=1)
        if unjudged and not options["allow_unjudged"]:
            raise CommandError(
                "Some conditions could not be judged twice; simplify them, or --allow-unjudged.", returncode=2
            )
        self.stdout.write(f"{found} policies, 0 escalations")

    def _print(self, name: str, report: Report, seed: int) -> None:
        words = f"{report.calls} calls (seed {seed}), {report.allowed} let through"
        self.stdout.write(f"{name}: {words}, {report.stricter} stricter, {len(report.escalations)} escalations")
        for line in report.escalations[:20]:
            self.stderr.write(f"  {line}")
        for line in report.unjudged[:20]:
            self.stderr.write(f"  not judged: {line}")


def _sources(files: list[Path]) -> list[tuple[str, frozenset[str]]]:
    if files:
        return [(path.read_text(encoding="utf-8"), frozenset()) for path in files]
    found = []
    for version in PolicyVersion.objects.filter(state=PolicyVersion.State.ACTIVE).select_related("policy"):
        taken = Revocation.objects.filter(policy=version.policy).values_list("entitlement", flat=True)
        found.append((version.source, frozenset(taken)))
    return found
