"""Runbooks: what to do about an alert, as data files beside this module. Steps that are acts are the product's own.

A step that names an act is previewed and carried out by the very code of that act, under the rights of whoever does
it: a runbook can offer nothing that its reader may not do. Each step that is done is kept with the alert.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from agents.types import Json
from monitoring.alerts.actors import actor_of
from monitoring.alerts.errors import AlertOver, StepNotPossible, StepUnknown
from monitoring.models import Alert, AlertStep
from orchestrator import acts
from orchestrator.acts.refusals import ActNotAllowed
from orchestrator.errors import OrchestratorError

FOLDER: Final = Path(__file__).parent / "books"

type Text = str | Mapping[str, str]  # by language


@dataclass(frozen=True, slots=True)
class Step:
    """One step. With `act` it does something; with `open` it leads somewhere; else somebody looks and ticks it off."""

    key: str
    title: Text
    text: Text
    act: Mapping[str, Any] | None = None  # scope, name, address, answers, reason
    open: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """One runbook as its file says it."""

    name: str
    title: Text
    about: Text
    contacts: tuple[Mapping[str, Text], ...]
    templates: tuple[Mapping[str, Text], ...]
    success: tuple[Text, ...]
    steps: tuple[Step, ...]
    drill: Mapping[str, Any]  # what a game day injects
    digest: str

    def step(self, key: str) -> Step | None:
        """The step of that key."""
        return next((one for one in self.steps if one.key == key), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A step on an alert's page: done by whom, or what doing it would do now."""

    step: Step
    title: str
    text: str
    done: AlertStep | None = None
    act: acts.Act | None = None
    preview: acts.Preview | None = None
    reason: str = ""
    href: str = ""
    problem: str = ""  # why it cannot be done now, or not by this person


@cache
def every() -> dict[str, Runbook]:
    """Every runbook there is, by name."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {book.name: book for book in found}


def find(name: str) -> Runbook | None:
    """The runbook of that name."""
    return every().get(name)


def said(text: Text) -> str:
    """A text of a runbook in the reader's language; English where there is none."""
    if isinstance(text, str):
        return text
    return text.get((get_language() or "en").partition("-")[0]) or text["en"]


def standing(alert: Alert, user: User, *, may_handle: bool) -> list[Standing]:
    """The steps of an alert's runbook as they stand for this person."""
    book = find(alert.rule.runbook)
    if book is None:
        return []
    done = {row.key: row for row in alert.steps.select_related("by")}
    return [_standing(step, alert, user, done.get(step.key), may_handle=may_handle) for step in book.steps]


def _standing(step: Step, alert: Alert, user: User, done: AlertStep | None, *, may_handle: bool) -> Standing:
    title, text = _filled(said(step.title), alert), _filled(said(step.text), alert)
    href = _filled(step.open, alert)
    if done is not None or step.act is None or not may_handle:
        return Standing(step, title, text, done, href=href)
    reason = _filled(said(step.act.get("reason", "")), alert)
    try:
        act, target = _act_of(step, alert, user)
        preview = acts.preview(act, target, _answers(step, alert))
    except OrchestratorError as refusal:
        return Standing(step, title, text, href=href, problem=str(refusal))
    return Standing(step, title, text, None, act, preview, reason, href)


def perform(alert: Alert, key: str, *, by: User, reason: str = "", digest: str = "") -> AlertStep:
    """Do a step and keep that it was done, once. What an act refuses is refused here. On a drill nothing is done.

    Raises AlertOver, StepUnknown, StepNotPossible, and whatever the act refuses with.
    """
    if alert.closed_at is not None:
        raise AlertOver(alert=alert.pk)
    book = find(alert.rule.runbook)
    step = book.step(key) if book is not None else None
    if book is None or step is None:
        raise StepUnknown(alert=alert.pk, key=key)
    if alert.steps.filter(key=key).exists():
        raise StepNotPossible(problem=_("somebody has done it already"))
    with transaction.atomic():
        words = _do(step, alert, by, reason, digest) if step.act is not None else ""
        try:
            with transaction.atomic():
                row = AlertStep.objects.create(
                    alert=alert, runbook=book.name, digest=book.digest, key=key, by=by, words=words[:500]
                )
        except IntegrityError as twice:
            raise StepNotPossible(problem=_("somebody has done it already")) from twice
        _record(alert, row, reason, by)
    return row


def _do(step: Step, alert: Alert, by: User, reason: str, digest: str) -> str:
    act, target = _act_of(step, alert, by)
    if not digest:
        raise StepNotPossible(problem=_("look at what it would do first, and agree to that"))
    if alert.drill:
        acts.preview(act, target, _answers(step, alert))
        return _("drill: looked at, not done")
    return acts.perform(act, target, by=by, reason=reason, answers=_answers(step, alert), digest=digest).words


def _act_of(step: Step, alert: Alert, user: User) -> tuple[acts.Act, acts.Target]:
    """The act and what it is done to. Raises TargetUnknown, ActUnknown, ActNotAllowed."""
    assert step.act is not None
    scope = str(step.act["scope"])
    target = acts.locate(scope, _filled(str(step.act.get("address", "{subject}")), alert))
    act = acts.find(scope, str(step.act["name"]))
    if not (acts.is_visible(user, target) and act.permits(user, target)):
        raise ActNotAllowed(verb=str(act.title).lower())
    return act, target


def _answers(step: Step, alert: Alert) -> dict[str, Json]:
    given = (step.act or {}).get("answers", {})
    return {name: _filled(value, alert) if isinstance(value, str) else value for name, value in given.items()}


def _filled(text: str, alert: Alert) -> str:
    """The text with what the alert is about in it. Nothing else is looked at in it: names are other people's words."""
    for name, value in {
        "{subject}": alert.subject,
        "{about}": str(alert.data.get("about", "")),
        "{alert}": str(alert.pk),
    }.items():
        text = text.replace(name, value)
    return text


def filled(text: Text, alert: Alert) -> str:
    """A text of a runbook in the reader's language, about this alert."""
    return _filled(said(text), alert)


def _record(alert: Alert, row: AlertStep, reason: str, by: User) -> None:
    from monitoring.alerts import raising  # noqa: PLC0415 - it reads rules, and rules read this

    raising.record(
        "alert.step_done", alert, actor=actor_of(by), runbook=row.runbook, step=row.key, words=row.words,
        reason=reason.strip()[:1000],
    )  # fmt: skip


def _read(path: Path) -> Runbook:
    raw = path.read_bytes()
    body = yaml.safe_load(raw)
    steps = tuple(
        Step(one["key"], one["title"], one.get("text", ""), one.get("act"), one.get("open", ""))
        for one in body["steps"]
    )
    return Runbook(
        name=path.stem, title=body["title"], about=body["about"], contacts=tuple(body.get("contacts", ())),
        templates=tuple(body.get("templates", ())), success=tuple(body["success"]), steps=steps,
        drill=body.get("drill", {}), digest=hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip
