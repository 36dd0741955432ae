"""Celery tasks of this app, all on queue `control` and safe to lose, repeat or run twice at once."""

import structlog
from celery import shared_task

log = structlog.get_logger(__name__)


@shared_task
def index_mentions() -> None:
    """Note whom and what the new part of the log speaks of."""
    from monitoring.forensics import indexing  # noqa: PLC0415 - a worker that indexes nothing need not load it

    indexing.index()


@shared_task
def measure() -> None:
    """Keep the figures of the analytics pages up with the event log."""
    from monitoring.metrics import folding  # noqa: PLC0415 - only the control worker needs it
    from monitoring.telemetry import tallies  # noqa: PLC0415 - as above

    folding.catch_up()
    tallies.count_on()


@shared_task
def begin_month() -> None:
    """Set what each team with a tier may spend in the month that begins."""
    from monitoring.costs import tiers  # noqa: PLC0415 - as above

    tiers.begin_month()


@shared_task
def watch_alerts() -> None:
    """Look once at everything that alert rules are about."""
    from monitoring.alerts import evaluation  # noqa: PLC0415 - only the control worker needs it

    raised = evaluation.tick()
    if raised:
        log.info("alerts.raised", alerts=[alert.pk for alert in raised])


@shared_task
def forget_alert_counts() -> None:
    """Delete numbers that are too old to look at."""
    from monitoring.alerts import store  # noqa: PLC0415 - as above

    while store.forget_old():
        continue


@shared_task
def tell_digests() -> None:
    """Make the digests whose span is over, for whoever wants them, and tell them."""
    from monitoring.digests import telling  # noqa: PLC0415 - as above

    told = telling.tell_due()
    if told:
        log.info("digests.told", count=told)


@shared_task
def export() -> None:
    """Let what is new go to others' systems, in a thread of this process."""
    from monitoring.telemetry import runner  # noqa: PLC0415 - only where settings name an outlet

    runner.ring()
