"""Filters for verdicts and for what came of them."""

from datetime import datetime

from django import template
from django.utils import timezone

from agents.types import Json
from approvals import desk, wording
from approvals.models import Gate

register = template.Library()

SOON = 15 * 60  # seconds left: a row says so in colour


@register.filter
def verdict_look(verdict: object) -> wording.VerdictLook:
    """The look of a verdict: icon, words, key."""
    return wording.verdict_look(str(verdict))


@register.filter
def clause_words(clause: dict[str, Json]) -> str:
    """A clause of the rule that held, with the value that made it hold; empty if only its source says it."""
    return wording.clause_words(clause)


@register.filter
def settled_words(gate: Gate) -> str:
    """Who settled a gate, and how."""
    return desk.settled_words(gate)


@register.filter
def looking_words(names: tuple[str, ...]) -> str:
    """Who is looking, in a sentence."""
    return desk.looking_words(names)


@register.filter
def is_soon(moment: datetime) -> bool:
    """Whether a deadline is near, or past."""
    return (moment - timezone.now()).total_seconds() < SOON
