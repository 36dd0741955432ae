"""Who may see tagged data in clear: rules in CEL on who asks, for what, and whose output it is. By default nobody."""

from dataclasses import dataclass
from typing import Any, Final

import cel
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext

from agents.errors import RevealRefused, RuleInvalid
from agents.guardrails import sealing
from agents.guardrails.declared import TAGS
from agents.guardrails.ports import watch
from agents.guardrails.sealing import Opened
from agents.models import DataRule
from agents.types import Json

LONGEST: Final = 500  # characters of a condition
VARIABLES: Final = ("user", "roles", "purpose", "tags", "agent", "field")
_ALLOWED: Final = frozenset(
    {"_==_", "_!=_", "_&&_", "_||_", "!_", "_?_:_", "@in", "_[_]", "@not_strictly_false"}
    | {"startsWith", "endsWith", "contains", "size", "_<_", "_<=_", "_>_", "_>=_"}
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What an administrator has typed."""

    name: str
    tags: tuple[str, ...]
    condition: str
    enabled: bool = True


def check(rule: Rule) -> None:
    """Raise RuleInvalid unless the rule can be used."""
    if problem := _flaw(rule):
        raise RuleInvalid(name=rule.name, problem=problem)


@transaction.atomic
def set_rule(rule: Rule, *, by: str, reason: str) -> DataRule:
    """Make or change a rule. Raises RuleInvalid."""
    check(rule)
    if not reason.strip():
        raise RuleInvalid(name=rule.name, problem=gettext("no reason was given"))
    values = {"tags": list(rule.tags), "condition": rule.condition, "enabled": rule.enabled}
    made, _new = DataRule.objects.update_or_create(
        name=rule.name, defaults={**values, "changed_by": by, "changed_at": Now()}
    )
    data: dict[str, Json] = {"rule": rule.name, "tags": list[Json](rule.tags), "condition": rule.condition}
    data |= {"enabled": rule.enabled, "reason": reason.strip()}
    watch().happened("data.rule_changed", actor=f"user:{by}", data=data)
    return made


def reveal(sealed: str, viewer: Viewer, *, purpose: str, reason: str) -> Opened:
    """The value, for this person, this purpose and this time; the event names the rule, never the value.

    Raises RevealRefused and SealBroken. Every tag that the value carries needs a rule that lets it.
    """
    if not reason.strip() or not purpose.strip():
        raise RevealRefused(problem=gettext("say for what purpose, and why"))
    opened = sealing.open_sealed(sealed)
    used: list[str] = []
    for tag in sorted(opened.tags):
        rule = _rule_for(tag, opened, viewer, purpose.strip())
        if rule is None:
            raise RevealRefused(
                problem=gettext("no rule lets %(name)s see %(tag)s for %(purpose)s")
                % {"name": viewer.name, "tag": tag.upper(), "purpose": f"{purpose.strip()!r}"}
            )
        used.append(rule)
    data: dict[str, Json] = {"agent": opened.agent, "field": opened.place, "tags": list[Json](sorted(opened.tags))}
    data |= {"purpose": purpose.strip()[:100], "reason": reason.strip()[:1000], "rules": list[Json](used)}
    with transaction.atomic():
        watch().happened("data.revealed", actor=f"user:{viewer.name}", data=data)
    return opened


def _rule_for(tag: str, opened: Opened, viewer: Viewer, purpose: str) -> str | None:
    context = {
        "user": viewer.name,
        "roles": list(viewer.roles),
        "purpose": purpose,
        "tags": sorted(opened.tags),
        "agent": opened.agent,
        "field": opened.place,
    }
    for rule in DataRule.objects.filter(enabled=True, tags__contains=[tag]):
        if _holds(rule.condition, context):
            return rule.name
    return None


def _holds(condition: str, context: dict[str, Any]) -> bool:
    """True only for true: a condition that cannot be worked out lets nobody see anything."""
    try:
        return cel.compile(condition).execute(context) is True
    except Exception:  # noqa: BLE001 - whatever the evaluator raises
        return False


def _flaw(rule: Rule) -> str | None:
    if not rule.tags or not set(rule.tags) <= set(TAGS):
        return gettext("its tags must be of %(value)s") % {"value": ", ".join(TAGS)}
    if not 0 < len(rule.condition) <= LONGEST:
        return gettext("its condition must have 1 to %(longest)s characters") % {"longest": LONGEST}
    try:
        program = cel.compile(rule.condition)
    except Exception:  # noqa: BLE001 - whatever the parser raises
        return gettext("its condition is not CEL")
    strangers = sorted((set(program.variables()) - set(VARIABLES)) | (set(program.functions()) - _ALLOWED))
    if strangers:
        return gettext("its condition uses %(stranger)s; it may use %(known)s") % {
            "stranger": strangers[0],
            "known": ", ".join(VARIABLES),
        }
    return None
