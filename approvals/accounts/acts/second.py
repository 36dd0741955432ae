"""The second pair of eyes: confirm a risky change that somebody else asked for, refuse it, or take one's own back."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals.accounts import changes
from approvals.accounts.acts.core import AccessAct, Answers
from approvals.accounts.rehearsal import rehearse
from approvals.accounts.risk import NO_REASON, Why
from approvals.errors import ChangeRefused
from approvals.models import AccessChange
from orchestrator import acts
from orchestrator.acts.core import NAMED, Performing, Plan, Target, Undo, register


class _Second(AccessAct):
    """About one change that waits."""

    home = "access:changes"

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which."""
        number = {"type": "integer", "minimum": 1, "title": _("Change"), NAMED: True}
        return {"properties": {"change": number}, "required": ["change"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json] | None:
        """Not by itself: `apply` knows what it is about."""
        raise NotImplementedError


class ConfirmChange(_Second):
    """Confirm what somebody else asked for; then it is done."""

    name = "confirm-change"
    icon = "check"
    title = gettext_lazy("Confirm a change of access")
    action = gettext_lazy("Confirm and do it")
    menu = gettext_lazy("Confirm…")
    hint = gettext_lazy("It is worked out anew: what you read here is what happens now.")

    def plan(self, target: Target, answers: Answers) -> Plan:
        """What the change would do by now."""
        asked = _waiting(answers)
        act = _act_of(asked)
        effects = rehearse(lambda: act.change(asked.answers, None, NO_REASON))
        lines = (
            _("%(who)s asks: %(why)s") % {"who": asked.proposed_by.username, "why": asked.reason},
            *act.words(asked.answers),
            *effects.lines(),
        )
        return Plan(lines, {"change": asked.pk, "effects": effects.bound()}, act, effects.warnings())

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Do it, in the name of whoever asked, confirmed by this one."""
        asked = changes.take(_number(act.answers))
        if act.by is None or changes.is_own(asked, act.by):
            raise ChangeRefused(why=_("you asked for it yourself; somebody else must confirm it"))
        found = act.plan.work
        changes.settle(asked, outcome="confirmed", by=act.by, note=act.reason)
        done = found.change(asked.answers, asked.proposed_by, Why(asked.reason, act.by))
        return {**(done or {}), "words": _("Confirmed and done.")}

    def undo(self, target: Target, plan: Plan) -> None:
        """By the act itself, on its page."""

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Confirmed and done.")


class RefuseChange(_Second):
    """Refuse what somebody else asked for, or take one's own request back."""

    name = "refuse-change"
    icon = "x"
    is_grave = True
    title = gettext_lazy("Refuse a change of access, or take it back")
    action = gettext_lazy("Refuse")
    menu = gettext_lazy("Refuse…")

    def plan(self, target: Target, answers: Answers) -> Plan:
        """Nothing changes."""
        asked = _waiting(answers)
        line = _("What %(who)s asked for is not done; it can be asked for again.") % {"who": asked.proposed_by.username}
        return Plan((line,), {"change": asked.pk})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """End it."""
        asked = changes.take(_number(act.answers))
        if act.by is None:
            raise ChangeRefused(why=_("somebody must refuse it by name"))
        outcome = "withdrawn" if changes.is_own(asked, act.by) else "refused"
        changes.settle(asked, outcome=outcome, by=act.by, note=act.reason)
        return {"outcome": outcome}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Asked for again, by hand."""
        return None

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It is not done; nothing has changed.")


def _number(answers: Answers) -> int:
    found = answers["change"]
    assert isinstance(found, int)
    return found


def _waiting(answers: Answers) -> AccessChange:
    found = changes.waiting().filter(pk=_number(answers)).first()
    if found is None:
        raise ChangeRefused(why=_("that change waits no longer"))
    return found


def _act_of(change: AccessChange) -> AccessAct:
    found = acts.find("everything", change.act)
    assert isinstance(found, AccessAct)
    return found


for _act in (ConfirmChange(), RefuseChange()):
    register(_act)
