"""Rehearse a runbook: `game_day start token-surge`, then `game_day finish 3 --passed --result "…"`."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitoring.alerts import game_days, queries, runbooks
from orchestrator.errors import OrchestratorError


class Command(BaseCommand):
    help = "Raise an alert that is marked as a game day, and record how people handled it."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        start = acts.add_parser("start", help="raise the alert of a runbook")
        start.add_argument("runbook", choices=sorted(runbooks.every()))
        start.add_argument("--about", default="", help="the agent, tool or run that it is about; else any")
        start.add_argument("--by", default=getpass.getuser())
        finish = acts.add_parser("finish", help="record how it went")
        finish.add_argument("game_day", type=int)
        finish.add_argument("--result", required=True, help="what was learned")
        went = finish.add_mutually_exclusive_group(required=True)
        went.add_argument("--passed", action="store_true")
        went.add_argument("--failed", action="store_true")
        finish.add_argument("--by", default=getpass.getuser())
        acts.add_parser("list", help="the newest ones")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['act']}")(options)
        except OrchestratorError as refusal:
            raise CommandError(str(refusal)) from refusal

    def _start(self, options: dict[str, Any]) -> None:
        day = game_days.start(options["runbook"], by=options["by"], subject=options["about"])
        self.stdout.write(f"Game day {day.pk}: alert {day.alert_id} is raised. See /alerts/{day.alert_id}/")
        self.stdout.write(f"When it is over: manage.py game_day finish {day.pk} --passed --result '…'")

    def _finish(self, options: dict[str, Any]) -> None:
        day = game_days.finish(
            options["game_day"], by=options["by"], passed=options["passed"], result=options["result"]
        )
        answered = f"answered after {day.answered_s:.0f} s" if day.answered_s is not None else "nobody answered"
        self.stdout.write(
            f"Game day {day.pk} of {day.runbook}: {'passed' if day.passed else 'not passed'}, {answered}."
        )

    def _list(self, options: dict[str, Any]) -> None:
        for day in queries.game_days():
            state = "under way" if day.passed is None else "passed" if day.passed else "not passed"
            self.stdout.write(f"{day.pk:>4}  {day.started_at:%Y-%m-%d %H:%M}  {day.runbook:<20} {state}  {day.result}")
