"""`manage.py backtest WORKFLOW STEP [--when CEL] [--sample X] [--newest N] [--json]`: a gate's rule on the past."""

import argparse
from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from agents.expressions import ExpressionError
from approvals.feedback import trying
from approvals.feedback.backtest import MOST, USUAL, Backtest, Rule, backtest
from orchestrator.models import Workflow

SHOWN = 20


class Command(BaseCommand):
    """Says what another rule would have changed, with the decisions that would have slipped through."""

    help = "Try another rule of a gate on what people decided: fewer reviews, and what would have slipped through."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which gate, and which rule."""
        parser.add_argument("workflow")
        parser.add_argument("step")
        parser.add_argument("--when", help="the condition in CEL; the one in force, if left out")
        parser.add_argument("--sample", help="share of the rest that is looked at all the same, 0 to 1")
        parser.add_argument("--newest", type=int, default=USUAL, help=f"how many decisions, at most {MOST:,}")
        parser.add_argument("--json", action="store_true", help="one JSON object on one line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Try it."""
        workflow = Workflow.objects.select_related("current_version").filter(name=options["workflow"]).first()
        gates = {gate.key: gate for gate in trying.gates_of(workflow)} if workflow else {}
        gate = gates.get(options["step"])
        if workflow is None or gate is None:
            known = ", ".join(gates) or "none"
            raise CommandError(f"There is no gate {options['workflow']}/{options['step']}; its gates: {known}.")
        rule = trying.rule_of(gate, options["when"], options["sample"])
        try:
            found = backtest(workflow, gate.key, rule, user=None, limit=options["newest"])
        except ExpressionError as problem:
            raise CommandError(f"The rule is none: {problem}") from problem
        self.stdout.write(as_json(found) if options["json"] else "\n".join(lines(gate.rule, found)))


def as_json(found: Backtest) -> str:
    """Everything, on one line."""
    told = asdict(found) | {"fewer": found.fewer, "share": round(found.share, 4), "words": found.words}
    return orjson.dumps(told).decode()


def lines(current: Rule, found: Backtest) -> list[str]:
    """The same for people."""
    told = [f"in force: {current.when} (sample {current.sample:g})"]
    told += [f"tried:    {found.rule.when} (sample {found.rule.sample:g})", found.words]
    if found.asked and found.oldest and found.newest:
        newest = f"the newest {found.asked}" if found.is_cut else f"all {found.asked}"
        told.append(f"Looked at {newest} decisions, {found.oldest:%Y-%m-%d} to {found.newest:%Y-%m-%d}.")
    if found.unknown:
        why = "; ".join(f"{count}x {what}" for what, count in found.why_unknown.most_common(3))
        told.append(f"{found.unknown} could not be worked out on what is stored and would still ask: {why}")
    told += [
        f"  slipped: gate {one.gate} (run {one.run}), {one.verdict}: {one.title} {one.note}".rstrip()
        for one in found.slips[:SHOWN]
    ]
    return told
