"""Checks rules and keeps them. Each change is an event; a rule with alerts is switched off, never deleted."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import permissions
from monitoring.alerts import runbooks, shipped
from monitoring.alerts.actors import actor_of
from monitoring.alerts.errors import HandlingNotPermitted, RuleNotFound, RuleRefused
from monitoring.alerts.inputs import LONGEST_WINDOW, SCOPES, Value
from monitoring.models import AlertRule, Severity
from orchestrator import events
from orchestrator.definitions import expressions

NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,59}", re.ASCII)
RESERVED: Final = frozenset({"new", "try", "test"})  # addresses beside those of rules
LONGEST: Final = 500  # characters of a condition: it is shown on one line
MOST: Final = 200
# What a condition is tried on before it is kept: it has to give true or false for a thing of which nothing is known.
_TEXTS: Final[Mapping[str, Mapping[str, Value]]] = {"run": {"workflow_status": "RUNNING", "workflow": "a"}}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule as somebody writes it."""

    title: str
    scope: str
    condition: str
    severity: str
    window: int = 60
    subject: str = ""
    runbook: str = ""
    enabled: bool = True


def check(wanted: Wanted) -> None:
    """Raise RuleRefused, which says what is wrong and what would be right."""
    scope = SCOPES.get(wanted.scope)
    if scope is None:
        raise RuleRefused(problem=_("choose what it looks at: %(scopes)s") % {"scopes": ", ".join(SCOPES)})
    if not wanted.title.strip():
        raise RuleRefused(problem=_("give it a title that says what is wrong when it fires"))
    if wanted.severity not in Severity.values:
        raise RuleRefused(problem=_("choose a severity: %(known)s") % {"known": ", ".join(Severity.values)})
    if not 1 <= wanted.window <= LONGEST_WINDOW:
        raise RuleRefused(problem=_("its window is 1 to %(most)d minutes") % {"most": LONGEST_WINDOW})
    if wanted.runbook and runbooks.find(wanted.runbook) is None:
        raise RuleRefused(problem=_("there is no runbook %(name)s") % {"name": wanted.runbook})
    check_condition(wanted.scope, wanted.condition)


def check_condition(scope: str, condition: str) -> None:
    """Raise RuleRefused unless it is CEL over the documented numbers and gives true or false."""
    if not condition.strip() or len(condition) > LONGEST:
        raise RuleRefused(problem=_("its condition has 1 to %(most)d characters") % {"most": LONGEST})
    names = SCOPES[scope].names
    try:
        expressions.check(condition, names)
        holds(condition, scope, {**SCOPES[scope].values({}), **_TEXTS.get(scope, {})})
    except expressions.ExpressionError as problem:
        raise RuleRefused(problem=str(problem)) from problem


def holds(condition: str, scope: str, values: Mapping[str, Value]) -> bool:
    """Whether a condition is true of these numbers. Raises ExpressionError; that is not false."""
    return expressions.holds(condition, values, SCOPES[scope].names)


def named_in(condition: str, scope: str) -> frozenset[str]:
    """The numbers that a condition looks at."""
    try:
        source = expressions.check(condition, SCOPES[scope].names)
    except expressions.ExpressionError:
        return frozenset()
    return frozenset(reference.root for reference in source.references)


def get(name: str) -> AlertRule:
    """The rule of that name. Raises RuleNotFound."""
    found = AlertRule.objects.filter(name=name).first()
    if found is None:
        raise RuleNotFound(name=name)
    return found


@transaction.atomic
def create(name: str, wanted: Wanted, *, by: User, reason: str) -> AlertRule:
    """Keep a new rule. Raises RuleRefused, HandlingNotPermitted."""
    authorise(by)
    check(wanted)
    if NAME.fullmatch(name) is None:
        raise RuleRefused(problem=_("its name is 2 to 60 small letters, digits and hyphens, and begins with a letter"))
    if name in RESERVED or AlertRule.objects.filter(name=name).exists():
        raise RuleRefused(problem=_("there is a rule %(name)s already") % {"name": name})
    if AlertRule.objects.count() >= MOST:
        raise RuleRefused(problem=_("there are %(most)d rules already; remove one that nobody needs") % {"most": MOST})
    rule = AlertRule(name=name)
    _fill(rule, wanted, by)
    rule.save()
    _record("made", rule, by, reason)
    return rule


@transaction.atomic
def change(name: str, wanted: Wanted, *, by: User, reason: str) -> AlertRule:
    """Change a rule; its open alerts stay until what they tell of is over. Raises RuleRefused, RuleNotFound."""
    authorise(by)
    check(wanted)
    rule = AlertRule.objects.select_for_update().filter(name=name).first()
    if rule is None:
        raise RuleNotFound(name=name)
    if name == shipped.GRAVEST and not permissions.can(by, "edit_queues"):
        raise HandlingNotPermitted(
            verb=_("change the alert of the gravest matters: that takes the right to edit queues")
        )
    if rule.scope != wanted.scope:
        raise RuleRefused(problem=_("a rule goes on looking at what it looked at; make another one"))
    _fill(rule, wanted, by)
    rule.changed_at = Now()  # the database's clock
    rule.save()
    _record("changed", rule, by, reason)
    return rule


@transaction.atomic
def remove(name: str, *, by: User, reason: str) -> None:
    """Delete a rule that has raised nothing yet; others are switched off. Raises RuleRefused."""
    authorise(by)
    rule = get(name)
    if rule.shipped or rule.alerts.exists():
        raise RuleRefused(problem=_("it is part of the history of alerts; switch it off instead"))
    _record("removed", rule, by, reason)
    rule.delete()


def authorise(by: User) -> None:
    """Raise HandlingNotPermitted unless this person may change rules."""
    if not permissions.can(by, "edit_alerts"):
        raise HandlingNotPermitted(verb=_("change alert rules"))


def unmapped(rules: Iterable[AlertRule]) -> list[AlertRule]:
    """Those that lead to no runbook, or to one that is not there: the configuration check warns of them."""
    return [rule for rule in rules if rule.enabled and runbooks.find(rule.runbook) is None]


def _fill(rule: AlertRule, wanted: Wanted, by: User) -> None:
    rule.title, rule.scope, rule.condition = wanted.title.strip()[:200], wanted.scope, wanted.condition.strip()
    rule.severity, rule.window, rule.subject = wanted.severity, wanted.window, wanted.subject.strip()[:100]
    rule.runbook, rule.enabled, rule.changed_by, rule.problem = wanted.runbook, wanted.enabled, by, ""


def _record(what: str, rule: AlertRule, by: User, reason: str) -> None:
    facts: dict[str, Json] = {
        "rule": rule.name, "what": what, "condition": rule.condition, "severity": rule.severity,
        "window": rule.window, "enabled": rule.enabled, "runbook": rule.runbook, "reason": reason.strip()[:1000],
    }  # fmt: skip
    events.append("alert.rule_changed", actor=actor_of(by), data=facts)
