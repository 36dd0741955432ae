"""Template tags and filters shared by every page."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django import template
from django.conf import settings
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import MONTHS_3
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from agents import sections
from agents.tracing import trace_id_of
from approvals import gate_access, permissions, wording
from config import stored_words
from orchestrator import rendering
from orchestrator.models import Workflow
from orchestrator.story import actor_of

register = template.Library()


@register.filter
def trace_url(correlation_id: str) -> str:
    """Where TRACE_URL shows a run's trace; empty where it is not set."""
    return settings.TRACE_URL.replace("{trace_id}", trace_id_of(correlation_id)) if settings.TRACE_URL else ""


_UNITS = ((60, 1), (3600, 60), (172_800, 3600))  # below so many seconds, spans are told in units of so many
SPRITE = "vendor/lucide-static-1.62.0/sprite.svg"


class Look(NamedTuple):
    """How a status or a risk is shown: always a tone, an icon and a word."""

    tone: str
    icon: str
    word: str | Promise


UNKNOWN = Look("idle", "circle-help", _("Unknown"))
STATUSES: dict[str, Look] = {
    "running": Look("running", "loader", _("Running")),
    "ready": Look("idle", "circle-dot", _("Ready")),
    "blocked": Look("idle", "circle-dashed", _("Not yet")),
    "waiting": Look("waiting", "hand", _("Waiting")),
    "paused": Look("stopped", "circle-pause", _("Paused")),
    "pending": Look("idle", "hourglass", _("Queued")),
    "compensating": Look("waiting", "undo-2", _("Undoing")),
    "partial": Look("waiting", "circle-alert", _("Partly done")),
    "succeeded": Look("good", "circle-check", _("Succeeded")),
    "failed": Look("failed", "circle-x", _("Failed")),
    "skipped": Look("idle", "skip-forward", _("Skipped")),
    "cancelled": Look("stopped", "ban", _("Cancelled")),
    "suspended": Look("idle", "pause", _("Handed back")),
    "expired": Look("failed", "timer", _("Expired")),
    "late": Look("stopped", "timer", _("Too late")),
    "draft": Look("idle", "pencil", _("Draft")),
    "in_review": Look("waiting", "hand", _("In review")),
    "published": Look("good", "check", _("Published")),
    "open": Look("waiting", "hand", _("Needs a person")),
    "approved": Look("good", "check", _("Approved")),
    "rejected": Look("failed", "x", _("Rejected")),
    "returned": Look("waiting", "undo-2", _("Sent back")),
    "withdrawn": Look("idle", "minus", _("Withdrawn")),
    "healthy": Look("good", "check", _("Healthy")),
    "degraded": Look("waiting", "triangle-alert", _("Degraded")),
    "failing": Look("failed", "circle-alert", _("Failing")),
    "out_of_service": Look("failed", "circle-pause", _("Out of service")),
    "silent": Look("failed", "wifi-off", _("Silent")),
    "idle": Look("idle", "moon", _("Idle")),
    "stopped": Look("stopped", "octagon-x", _("Stopped")),
    "terminated": Look("stopped", "octagon-x", _("Terminated")),
    "in_service": Look("good", "circle-check", _("In service")),
    "lifted": Look("good", "circle-play", _("Lifted")),
}
RISKS: dict[str, Look] = {
    "low": Look("idle", "shield-check", _("Low risk")),
    "medium": Look("running", "info", _("Medium risk")),
    "high": Look("waiting", "triangle-alert", _("High risk")),
    "critical": Look("failed", "flame", _("Critical risk")),
}


@register.simple_tag
def icon(name: str, label: str | Promise = "") -> SafeString:
    """An icon of the vendored set; decorative unless it has a label."""
    return _icon(name, str(label))


@lru_cache(maxsize=1024)
def _icon(name: str, label: str) -> SafeString:
    named = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon" {} fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">'
        '<use href="{}#{}"></use></svg>',
        named,
        static(SPRITE),
        name,
    )


@register.inclusion_tag("agents/section_nav.html", takes_context=True)
def agent_sections(context: template.Context, at: str) -> dict[str, object]:
    """The row of tabs of the pages about agents; `at` is the address's name of the tab that the page belongs to."""
    request = context["request"]
    return {"sections": sections.sections(request.user), "at": at, "is_here": request.path == reverse(at)}


@register.simple_tag(takes_context=True)
def gate_address(context: template.RequestContext, gate: int) -> str:
    """Where a gate's card is; empty for whoever may not see it, who would be led to nothing."""
    user = context.request.user
    if gate_access.may_see(user, gate):
        return reverse("approvals:gate", args=[gate])
    return ""


@register.simple_tag(takes_context=True)
def run_address(context: template.RequestContext, run: int, workflow: Workflow) -> str:
    """Where a run's page is; empty for whoever may not see runs of this workflow."""
    may_see = permissions.can(context.request.user, "see_runs", workflow)
    return reverse("orchestrator:run", args=[run]) if may_see else ""


@register.filter
def status_look(status: object) -> Look:
    """The look of a status."""
    return STATUSES.get(str(status), UNKNOWN)


@register.filter
def risk_look(risk: object) -> Look:
    """The look of a risk level."""
    return RISKS.get(str(risk), UNKNOWN)


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """A moment in relative words, the exact one on hover in the user's zone; kept fresh by time.js."""
    if moment is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        moment.isoformat(),
        exact(timezone.localtime(moment)),
        from_now(moment),
    )


@register.filter
def from_now(moment: datetime) -> str:
    """A moment in relative words."""
    return relative((moment - timezone.now()).total_seconds())


@register.filter
def exactly(moment: datetime) -> str:
    """A moment in full, in the user's zone."""
    return exact(timezone.localtime(moment))


@register.simple_tag
def clock(moment: datetime | None) -> SafeString | str:
    """The time of day of a moment, with its day unless that is today; everything on hover."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    is_today = local.date() == timezone.localdate()
    shown = f"{local:%H:%M:%S}" if is_today else f"{local.day} {_month(local)}, {local:%H:%M}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(local), shown)


def exact(local: datetime) -> str:
    """A moment in full: as `date_format` writes it, in a tenth of its time, for a page has hundreds."""
    return f"{local.day} {_month(local)} {local.year}, {local:%H:%M:%S} {local.tzname()}"


def _month(local: datetime) -> str:
    return str(MONTHS_3[local.month]).title()


def relative(seconds: float) -> str:
    """`in 4 min`, `18 min ago`: the largest unit that fits, rounded down."""
    whole = int(abs(seconds))
    if whole < 5:
        return str(_("now"))
    return _relative(_down_to_its_unit(whole), seconds > 0, get_language())


def _down_to_its_unit(seconds: int) -> int:
    unit = next((size for most, size in _UNITS if seconds < most), 86_400)
    return seconds - seconds % unit


@lru_cache(maxsize=1024)  # a list says forty of few
def _relative(seconds: int, is_ahead: bool, _language: str | None) -> str:
    return (_("in %(span)s") if is_ahead else _("%(span)s ago")) % {"span": duration(seconds)}


@register.filter
def spoken(name: object) -> str:
    """A stored name as people say it: `amount_cents` is "Amount cents"."""
    return wording.spoken(str(name))


@register.filter
def stored_word(stored: str, of: str) -> str:
    """A stored word of one sort as people say it: `{{ version.kind|stored_word:"agent" }}`."""
    return stored_words.word(stored, of)


@register.filter
def said(value: object) -> object:
    """A stored value as people say it: yes, no, and a dash for nothing."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return "–" if value in (None, "", [], {}) else value


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """A span in its largest unit: 4 s, 18 min, 3 h, 2 days."""
    if seconds is None:
        return "–"
    whole = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    if whole < 60:
        return str(_("%(n)d s") % {"n": whole})
    if whole < 3600:
        return str(_("%(n)d min") % {"n": whole // 60})
    if whole < 172_800:
        return str(_("%(n)d h") % {"n": whole // 3600})
    return ngettext("%(n)d day", "%(n)d days", whole // 86_400) % {"n": whole // 86_400}


@register.filter
def person(user: User | None) -> str:
    """A person's full name, or else the user name."""
    return (user.get_full_name() or user.username) if user else ""


@register.filter
def actor(who: str) -> str:
    """Who wrote something, without the kind that the ledger puts before the name."""
    return actor_of(who)[1] or str(_("the engine"))


@register.filter
def tick(seconds: float) -> str:
    """A moment on an axis, in full: 0.25 s, 15 s, 1 min 15 s, 2 h 30 min. Two ticks never read the same."""
    if seconds < 60:
        return str(_("%(n)s s") % {"n": f"{seconds:.2f}".rstrip("0").rstrip(".")})
    whole, parts = round(seconds), []
    for size, word in ((86_400, _("d")), (3600, _("h")), (60, _("min")), (1, _("s"))):
        count, whole = divmod(whole, size)
        parts += [f"{count} {word}"] if count else []
    return " ".join(parts)


@register.filter
def reveal(text: object) -> SafeString:
    """Agent text or JSON, escaped, with its hidden characters made visible."""
    return mark_safe(rendering.reveal(text) if isinstance(text, str) else rendering.json_text(text))  # type: ignore[arg-type]  # noqa: S308


@register.filter
def agent_markdown(text: str) -> SafeString:
    """Agent text as sanitised Markdown, with its hidden characters made visible."""
    return mark_safe(rendering.markdown(text))  # noqa: S308 - cleaned against an allow-list inside


@register.filter
def plain(text: object) -> str:
    """What an agent says, perhaps a number, on one line, hidden characters spelled out: for titles and attributes."""
    return rendering.plain(text if isinstance(text, str) else str(text))


@register.filter
def with_code(text: object) -> SafeString:
    """Marked prose in the user's language, escaped, with what stands between backticks as code."""
    pieces = enumerate(str(_(str(text))).split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", one) if at % 2 else one,) for at, one in pieces))


@register.filter
def figure(amount: float) -> str:
    """An amount with its thousands apart and no more decimals than it needs: `1,250`, `0.07`."""
    places = 0 if abs(amount - round(amount)) < 1e-9 else 2
    return str(number_format(amount, places, force_grouping=True))


@register.filter
def percent(part: float | None, whole: float = 1) -> str:
    """A share in words: `61 %`, which no line breaks; a dash when there is nothing to share.

    Only all is 100 %, and only nothing is 0 %.
    """
    if part is None or not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1:
        return "<\xa01\xa0%"
    return f"{min(round(share), 99) if share < 100 else round(share)}\xa0%"


@register.filter
def initials(name: str) -> str:
    """One or two letters for an avatar."""
    words = str(name).replace(".", " ").replace("_", " ").split()
    return "".join(word[0] for word in words[:2]) or "?"


class Segment(NamedTuple):
    """One part of a bar, in percent of its width."""

    tone: str
    x: float
    width: float


@register.filter
def segments(counts: Iterable[tuple[str, int]]) -> list[Segment]:
    """Turn (tone, count) pairs into the parts of a bar, left to right."""
    pairs = [(tone, count) for tone, count in counts if count]
    total = sum(count for _tone, count in pairs)
    found: list[Segment] = []
    x = 0.0
    for tone, count in pairs:
        width = 100 * count / total
        found.append(Segment(tone, round(x, 2), round(width, 2)))
        x += width
    return found


@register.filter
def spark_line(values: Sequence[float]) -> str:
    """The points of a sparkline in a 120 x 36 box."""
    if len(values) < 2:
        return "0,34 120,34"
    top = max(values) or 1
    return " ".join(f"{120 * i / (len(values) - 1):.1f},{34 - 30 * value / top:.1f}" for i, value in enumerate(values))


@register.filter
def ring_share(share: float | None) -> str:
    """A 0-1 share as the dash of a ring whose path is 100 long."""
    filled = max(0.0, min(1.0, share or 0.0)) * 100
    return f"{filled:.0f} {100 - filled:.0f}"


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: object) -> str:
    """The current query string with some parameters replaced; None or an empty string drops one."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in (None, ""):
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"
