"""What a digest says, from live data: plain sections of lines and tables that a page and a PDF show alike."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from approvals import permissions
from approvals.able import figures as reviewers
from approvals.models import Gate, GateStatus, Proposal
from monitoring.metrics import behind, kpis, objectives, reading, tables
from monitoring.metrics.kpis import Figures, Tile
from monitoring.metrics.reading import Span
from monitoring.metrics.spreads import FEWEST
from monitoring.templatetags.figures import exact_percent, money, time_ms, valued
from orchestrator.models import Workflow, WorkflowVersion

SHOWN: Final = 5
WEEKS: Final = 4


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences below it, and a table: its head, then its rows."""

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """What sections are made of: the span, and one as long before it."""

    user: User
    now: Figures
    before: Figures


def build(user: User, kind: str, since: datetime, until: datetime) -> dict[str, Any]:
    """The digest's body, as it is stored: of what the user may see."""
    scope = reading.scope_of(user)
    now = Figures(user, Span(kind, since, until, "d"), scope)
    before = Figures(user, Span(kind, since - (until - since), since, "d"), scope)
    work = _Work(user, now, before)
    return {"sections": [asdict(make(work)) for make in _SECTIONS[kind]]}


def targets(work: _Work) -> Section:
    """The tiles against their targets."""
    rows = []
    for make in kpis.TARGETED:
        tile, earlier = make(work.now), make(work.before)
        rows.append((str(tile.title), _said(tile), str(tile.n), _target(tile), _said(earlier)))
    return Section(
        _("Against their targets"), (), (_("Figure"), _("Value"), "n", _("Target"), _("Before")), tuple(rows)
    )


def exceptions(work: _Work) -> Section:
    """Runs that needed people, the newest."""
    found = behind.behind("alone", work.now)
    newest = found.lines[:SHOWN] if found else ()
    rows = tuple((f"#{one.run} {one.title}"[:90], one.workflow, one.says) for one in newest)
    return Section(
        _("Runs that needed people"), () if rows else (_("None."),), (_("Run"), _("Workflow"), _("Why")), rows
    )


def where_time_goes(work: _Work) -> Section:
    """The steps that took longest in all."""
    rows = tuple(
        (one.step, one.workflow.title if one.workflow else "", time_ms(one.machine_ms), time_ms(one.human.total))
        for one in tables.bottlenecks(work.now.span, work.now.scope)[:SHOWN]
    )
    return Section(
        _("Where time goes"),
        () if rows else (_("Nothing ended."),),
        (_("Step"), _("Workflow"), _("Machine"), _("People")),
        rows,
    )


def promises(work: _Work) -> Section:
    """What is promised of workflows, and whether it is kept now."""
    kept = objectives.kept(work.user)
    rows = tuple(
        (
            one.objective.workflow.title, one.objective.get_indicator_display(),
            exact_percent(one.share) if one.is_said else _("too few to say"),
            exact_percent(one.left) if one.is_said else "–",
            one.burning or "–",
        )
        for one in kept
    )  # fmt: skip
    head = (_("Workflow"), _("What"), _("Kept"), _("Error budget left"), _("Burns too fast over"))
    return Section(_("What is promised"), () if rows else (_("Nothing is promised yet"),), head, rows)


def people(work: _Work) -> Section:
    """What waits for people, and how people decide in aggregate, for who may see it."""
    queues = permissions.visible_queues(work.user)
    waiting = Gate.objects.filter(status=GateStatus.OPEN, queue__in=queues).count()
    lines = [
        _("%(n)d gates opened, %(settled)d were settled; %(waiting)d wait now.")
        % {"n": work.now.counts["gate_opened"].n, "settled": work.now.times["human"].n, "waiting": waiting}
    ]
    altogether = next(iter(reviewers.everybody(work.user)), None)
    if altogether is not None and altogether.is_said and altogether.usual_s is not None:
        words = _("A decision takes %(time)s of active time (median of %(n)d, 90 days).")
        lines.append(words % {"time": time_ms(altogether.usual_s * 1000), "n": altogether.decided})
    return Section(_("People"), tuple(lines))


def spending(work: _Work) -> Section:
    """Money now and before, by workflow."""
    now, before = work.now.counts["cost"].total, work.before.counts["cost"].total
    lines = (_("%(now)s, after %(before)s in the span before.") % {"now": money(now), "before": money(before)},)
    rows = tuple(
        (row.title, str(row.ended), money(row.counts["cost"].total))
        for row in sorted(tables.by_workflow(work.now.span, work.now.scope), key=lambda row: -row.counts["cost"].total)[
            :SHOWN
        ]
    )
    return Section(_("Money"), lines, (_("Workflow"), _("Runs that ended"), _("Money")), rows)


def worth(work: _Work) -> Section:
    """What was saved against work by hand, and what a run with a result costs: now and before."""
    rows = tuple(
        (str(make(work.now).title), _said(make(work.now)), str(make(work.now).n), _said(make(work.before)))
        for make in (kpis.faster, kpis.unit_cost)
    )
    return Section(_("What it brings"), (), (_("Figure"), _("Now"), "n", _("Before")), rows)


def risk(work: _Work) -> Section:
    """Gates by risk, what people stopped, and promises that are broken."""
    span = work.now.span
    gates = Gate.objects.filter(opened_at__gte=span.since, opened_at__lt=span.until)
    gates = gates.filter(workflow__in=permissions.visible_workflows(work.user))
    rows = tuple((level, str(gates.filter(risk=level).count())) for level in ("critical", "high", "medium", "low"))
    broken = sum(one.tone == "failed" for one in objectives.kept(work.user))
    lines = (
        _("%(n)d outputs were edited, sent back, rejected or ended by people.")
        % {"n": work.now.counts["overridden"].n},
        _("%(n)d promises are broken or burn too fast.") % {"n": broken},
    )
    return Section(_("Risk"), lines, (_("Risk"), _("Gates opened")), rows)


def velocity(work: _Work) -> Section:
    """What changed: versions published, workflows made, proposals accepted."""
    visible = permissions.visible_workflows(work.user)

    def counted(f: Figures) -> tuple[int, int, int]:
        within = {"gte": f.span.since, "lt": f.span.until}
        published = WorkflowVersion.objects.filter(
            workflow__in=visible, **{f"published_at__{name}": at for name, at in within.items()}
        )
        made = Workflow.objects.filter(
            pk__in=visible.values("pk"), **{f"created_at__{name}": at for name, at in within.items()}
        )
        accepted = Proposal.objects.filter(
            workflow__in=visible, status="accepted", **{f"decided_at__{name}": at for name, at in within.items()}
        )
        return published.count(), made.count(), accepted.count()

    names = (_("Versions published"), _("New workflows"), _("Proposals accepted"))
    rows = tuple(
        (name, str(now), str(before))
        for name, now, before in zip(names, counted(work.now), counted(work.before), strict=True)
    )
    return Section(_("What changed"), (), ("", _("Now"), _("Before")), rows)


def capacity(work: _Work) -> Section:
    """What the next four weeks ask of people and workers, if they are like the last four."""
    until = work.now.span.until
    span = Span("", until - timedelta(weeks=WEEKS), until, "d")
    found = reading.sums(("gate_opened", "run_started", "try_succeeded"), span, work.now.scope)
    if found["run_started"].n < FEWEST:
        return Section(_("The next four weeks"), (_("Too few to say"),))
    lines = [
        _("As many as in the last four: %(runs)d runs, %(tries)d tries, %(gates)d gates.")
        % {"runs": found["run_started"].n, "tries": found["try_succeeded"].n, "gates": found["gate_opened"].n}
    ]
    altogether = next(iter(reviewers.everybody(work.user)), None)
    if altogether is not None and altogether.is_said and altogether.usual_s:
        hours = found["gate_opened"].n * altogether.usual_s / 3600
        lines.append(_("That asks %(hours).1f hours of reviewers' active time.") % {"hours": hours})
    return Section(_("The next four weeks"), tuple(lines))


_SECTIONS: Final[dict[str, tuple[Callable[[_Work], Section], ...]]] = {
    "weekly": (targets, exceptions, where_time_goes, promises, people, spending),
    "monthly": (targets, worth, spending, risk, velocity, promises, capacity),
    "quarterly": (targets, worth, spending, risk, velocity, capacity),
}


def _said(tile: Tile) -> str:
    return valued(tile.value, tile.unit) if tile.is_said else _("too few to say")


def _target(tile: Tile) -> str:
    if tile.target is None:
        return "–"
    met = {True: _("met"), False: _("missed"), None: ""}[tile.is_met]
    return f"{'≤ ' if tile.at_most else ''}{valued(tile.target, tile.unit)} {met}".strip()
