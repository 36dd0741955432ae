"""Rates and circuit breakers of tools, in one row each, by the database's clock.

A rate is a bucket that fills by `rate_per_minute` a minute. A breaker opens after `threshold` failures in a row; after
`reset_s` one call tries the tool, and its end closes or opens it again. Only tools with a rate or with recent failures
cost a look at the row.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.errors import ToolBusy
from agents.models import Tool

CLOSED, OPEN, HALF_OPEN = Tool.State.CLOSED, Tool.State.OPEN, Tool.State.HALF_OPEN


@transaction.atomic
def admit(name: str) -> None:
    """Take one call from the tool's rate and pass its breaker. Raises ToolBusy."""
    row: Any = Tool.objects.select_for_update(no_key=True).annotate(now=Now()).filter(name=name).first()
    if row is None:
        return
    _pass_breaker(row, row.now)
    _take_token(row, row.now)
    row.save(update_fields=["state", "opened_at", "tokens", "filled_at"])


def _pass_breaker(row: Tool, now: datetime) -> None:
    if row.state == CLOSED:
        return
    until = (row.opened_at or now) + timedelta(seconds=row.reset_s)
    if now < until:  # open, or a call that tries it is out there
        why = f"it failed {row.failures} times in a row and is left alone"
        raise ToolBusy(tool=row.name, why=why, seconds=max((until - now).total_seconds(), 0.1))
    row.state, row.opened_at = HALF_OPEN, now


def _take_token(row: Tool, now: datetime) -> None:
    rate = row.rate_per_minute
    if rate is None:
        return
    elapsed = (now - row.filled_at).total_seconds() if row.filled_at else 60.0
    row.tokens = min(float(rate), row.tokens + elapsed * rate / 60)
    row.filled_at = now
    if row.tokens < 1:
        raise ToolBusy(tool=row.name, why=f"it takes {rate} calls a minute", seconds=(1 - row.tokens) * 60 / rate)
    row.tokens -= 1


@transaction.atomic
def worked(name: str) -> None:
    """A call ended well."""
    Tool.objects.filter(name=name).exclude(state=CLOSED, failures=0).update(
        state=CLOSED, failures=0, opened_at=None, last_error=""
    )


@transaction.atomic
def failed(name: str, problem: str) -> bool:
    """A call failed in a way that speaks against the tool; return whether that took it out of service."""
    row = Tool.objects.select_for_update(no_key=True).filter(name=name).first()
    if row is None:
        return False
    row.failures += 1
    opens = row.state == HALF_OPEN or (row.state == CLOSED and row.failures >= row.threshold)
    changes: dict[str, Any] = {"failures": F("failures") + 1, "last_error": problem[:500]}
    if opens:
        changes |= {"state": OPEN, "opened_at": Now()}
    Tool.objects.filter(pk=row.pk).update(**changes)
    return opens


def reset(name: str) -> None:
    """A person puts a tool back into service."""
    Tool.objects.filter(name=name).update(state=CLOSED, failures=0, opened_at=None)
