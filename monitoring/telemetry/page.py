"""What goes out where, in one sentence each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from monitoring.models import Outlet
from monitoring.telemetry import ways
from orchestrator import ledger

TITLES: Final[dict[str, str | Promise]] = {
    "traces": gettext_lazy("Traces (OpenTelemetry)"),
    "siem": gettext_lazy("Events to a SIEM"),
    "log": gettext_lazy("Events in the log"),
}
SWITCHES: Final = {"traces": "OTEL_EXPORTER_OTLP_ENDPOINT", "siem": "SIEM_URL", "log": "LOG_EVENTS"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One outlet as people see it."""

    name: str
    to: str
    is_on: bool
    behind: int = 0
    sent: int = 0
    lost: int = 0
    sent_at: datetime | None = None
    failing_since: datetime | None = None
    problem: str = ""
    retry_at: datetime | None = None

    @property
    def title(self) -> str:
        """What it is."""
        return str(TITLES[self.name])

    @property
    def switch(self) -> str:
        """The variable that switches it on."""
        return SWITCHES[self.name]

    @property
    def sentence(self) -> str:
        """How it is, in one sentence."""
        if not self.is_on:
            return _("Nothing is collected, and nothing goes out; %(switch)s switches it on.") % {"switch": self.switch}
        if self.failing_since:
            words = _("For %(since)s: %(problem)s. What waits is kept, and tried again.")
            return words % {"since": timesince(self.failing_since), "problem": self.problem}
        lost = ""
        if self.lost:
            lost = " " + ngettext("%(n)s was refused and is lost.", "%(n)s were refused and are lost.", self.lost) % {
                "n": self.lost
            }
        if self.sent_at is None:
            return _("Ready; nothing has happened yet that would go out.") + lost
        return _("%(sent)s went out, the last %(ago)s ago.") % {
            "sent": number_format(self.sent, force_grouping=True), "ago": timesince(self.sent_at),
        } + lost  # fmt: skip


def outlets() -> list[Shown]:
    """Every outlet there is, switched on or not."""
    rows, head = Outlet.objects.in_bulk(), ledger.head()
    return [_shown(name, rows.get(name), head) for name in ways.WAYS]


def _shown(name: str, row: Outlet | None, head: int) -> Shown:
    is_on = name in settings.OUTLETS
    if row is None or not is_on:
        return Shown(name, ways.place(name), is_on)
    return Shown(
        name, ways.place(name), True, max(0, head - row.pos), row.sent, row.lost, row.sent_at, row.failing_since,
        row.problem, row.retry_at,
    )  # fmt: skip
