"""`manage.py evaluate`: run a suite, store the evidence, and say by the exit code whether the thresholds hold."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agents.errors import AgentNotFound
from agents.evaluation import comparing, running, suites
from agents.evaluation.cases import CasesRefused
from agents.evaluation.comparing import Comparison, NotComparable
from agents.evaluation.suites import Suite, SuiteRefused
from agents.models import Agent, Evaluation
from agents.quality import store
from agents.quality.outcomes import outcomes_of
from agents.registry import autodiscover
from agents.types import Json
from orchestrator import db, events

FRESH_HOURS = 20


class Command(BaseCommand):
    help = "Run an evaluation suite. Exit code 0: the thresholds hold; 1: one does not; 2: it could not be run."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version gives way to the agent's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("suite", nargs="?", help="name of a suite, or a .yaml file")
        parser.add_argument("--agent", default="", help="another agent than the suite's own")
        parser.add_argument(
            "--version",
            "--agent-version",
            type=int,
            dest="agent_version",
            help="its version; the newest, if left out",
        )
        parser.add_argument("--limit", type=int, default=0, help="at most so many cases")
        parser.add_argument("--compare", type=int, help="number of the evaluation to compare with")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--list", action="store_true", help="list the suites and leave")
        parser.add_argument(
            "--scheduled", choices=("nightly", "monthly"), help="run all suites of a schedule that are due"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            for name in suites.names():
                suite = suites.find(name)
                self.stdout.write(f"{name:24} {suite.kind:11} {suite.agent:22} {suite.schedule or '-':8} {suite.title}")
            return
        autodiscover()
        if options["scheduled"]:
            self._scheduled(options["scheduled"])
            return
        if not options["suite"]:
            raise CommandError("Name a suite; --list shows those there are.", returncode=2)
        try:
            made, compared = self._one(options)
        except (SuiteRefused, CasesRefused, AgentNotFound, NotComparable) as problem:
            raise CommandError(str(problem), returncode=2) from None
        self._print(made, compared, as_json=options["json"])
        if not made.passed:
            raise CommandError("The thresholds are not reached.", returncode=1)

    def _one(self, options: dict[str, Any]) -> tuple[Evaluation, Comparison | None]:
        suite = suites.find(options["suite"])
        other = None
        if options["compare"] is not None:
            other = Evaluation.objects.filter(pk=options["compare"]).first()
            if other is None:
                raise NotComparable(f"There is no evaluation {options['compare']}.")
        made = running.evaluate(suite, agent=options["agent"], version=options["agent_version"], limit=options["limit"])
        tell(made)
        return made, comparing.compare(other, made) if other else None

    def _scheduled(self, schedule: str) -> None:
        if not db.may_evaluate():
            self.stdout.write("Another scheduled evaluation is running.")
            return
        failed = [suite for suite in map(suites.find, suites.names()) if not self._on_schedule(suite, schedule)]
        if schedule == "nightly":
            self._calibrate()
        if failed:
            raise CommandError(f"Could not be run: {', '.join(suite.name for suite in failed)}.", returncode=2)

    def _on_schedule(self, suite: Suite, schedule: str) -> bool:
        """Run a suite that is due; False if it cannot be run here, which keeps none of the others from running."""
        if suite.schedule != schedule or _ran_lately(suite):
            return True
        try:
            made = running.evaluate(suite, trigger=schedule)
        except (SuiteRefused, CasesRefused, AgentNotFound) as problem:
            self.stderr.write(f"{suite.name}: {problem}")
            return False
        tell(made)
        self.stdout.write(f"{suite.name}: {'passed' if made.passed else 'missed its thresholds'} ({made.pk})")
        return True

    def _calibrate(self) -> None:
        for name in Agent.objects.values_list("name", flat=True):
            if outcomes_of(name):
                made = store.calibrate(name)
                data: dict[str, Json] = {
                    "agent": name,
                    "outcomes": made.outcomes,
                    "usable": made.usable,
                    "why": made.why,
                }
                events.append("quality.calibrated", actor="engine", data=data)
                self.stdout.write(f"{name}: {made.why}")

    def _print(self, made: Evaluation, compared: Comparison | None, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(as_object(made, compared)))
            return
        self.stdout.write(
            f"Evaluation {made.pk}: {made.suite} on {made.agent} v{made.agent_version}, "
            f"{made.cases:,} cases of {made.dataset}"
        )
        for name, value in made.measures.items():
            limit = made.thresholds.get(name)
            told = "" if limit is None else f"  {_limit(limit)}: {'held' if limit['held'] else 'MISSED'}"
            self.stdout.write(f"  {name:20} {'-' if value is None else f'{value:g}'}{told}")
        if compared is not None:
            pairs = compared.pairs
            self.stdout.write(
                f"Against evaluation {compared.old.pk}: {pairs.verdict}; "
                f"{pairs.won} won, {pairs.lost} lost, {pairs.tied} tied; "
                f"difference {pairs.difference:+.4f} "
                f"(95 %: {pairs.interval.low:+.4f} to {pairs.interval.high:+.4f}), p = {pairs.p:g}"
            )


def tell(made: Evaluation) -> None:
    """The event of a finished evaluation."""
    facts: dict[str, Any] = {
        "evaluation": made.pk,
        "suite": made.suite,
        "agent": made.agent,
        "version": made.agent_version,
    }
    events.append("evaluation.finished", actor="engine", data={**facts, "passed": made.passed, "trigger": made.trigger})


def as_object(made: Evaluation, compared: Comparison | None = None) -> dict[str, Any]:
    """An evaluation for programs."""
    names = (
        "suite", "kind", "suite_digest", "agent", "agent_version", "agent_digest", "prompt_version", "dataset",
        "dataset_digest", "cases", "measures", "thresholds", "passed", "trigger",
    )  # fmt: skip
    found: dict[str, Any] = {"evaluation": made.pk, **{name: getattr(made, name) for name in names}}
    found["seconds"] = round((made.ended_at - made.started_at).total_seconds(), 3)
    if compared is not None:
        pairs = compared.pairs
        found["compared_with"] = {
            "evaluation": compared.old.pk, "verdict": pairs.verdict, "won": pairs.won, "lost": pairs.lost,
            "tied": pairs.tied, "difference": pairs.difference, "low": pairs.interval.low, "high": pairs.interval.high,
            "p": pairs.p,
        }  # fmt: skip
    return found


def _limit(limit: dict[str, Any]) -> str:
    sides = ((">=", limit["at_least"]), ("<=", limit["at_most"]))
    return " and ".join(f"{sign} {value:g}" for sign, value in sides if value is not None)


def _ran_lately(suite: Suite) -> bool:
    since = timezone.now() - timedelta(hours=FRESH_HOURS)
    return Evaluation.objects.filter(suite=suite.name, trigger=suite.schedule, started_at__gte=since).exists()
