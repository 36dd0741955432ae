"""Watch floor, audit trail, search and the shell's regions. Reading only: every button here posts to its owner."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals import permissions
from approvals import queries as approvals
from approvals.able import minutes
from approvals.models import Care
from approvals.notices import queries as notices
from monitoring import finding, queries, trail, wording
from monitoring.forensics import pack
from monitoring.forensics.dossier import TooMuch
from monitoring.forensics.pack import NothingFound, Pack
from orchestrator import ledger, pacing
from orchestrator.models import StartPace

PARTS = ("", "tiles", "people", "needs", "flows", "agents", "events")
FAMILIES = ("run", "task", "gate", "stop", "agent")
NEEDED = 7  # rows of "needs a person"


@require_GET
def floor(request: HttpRequest) -> HttpResponse:
    """The watch floor, or one of its regions (`?part=`)."""
    user = _user(request)
    if not permissions.can_somewhere(user, "see_floor"):
        return _elsewhere(user)
    part = request.GET.get("part", "")
    if part not in PARTS:
        raise Http404
    on_wall = bool(getattr(request, "on_wall", False))  # this session can do nothing but this
    is_wall = on_wall or "wall" in request.GET
    context: dict[str, Any] = {"floor": Floor(user, _family(request)), "families": FAMILIES, "is_wall": is_wall}
    context |= {"on_wall": on_wall, "wall_days": settings.WALL_DAYS}
    return render(request, "monitoring/floor.html" + (f"#floor-{part}" if part else ""), context)


class Floor:
    """What the floor shows, read when a region asks for it, and once even if two regions do."""

    def __init__(self, user: User, family: str) -> None:
        self._user = user
        self.family = family

    @cached_property
    def waiting(self) -> queries.Waiting:
        """What waits for people."""
        return queries.waiting(self._user)

    @cached_property
    def needs(self) -> list[approvals.Row]:
        """The most urgent of it."""
        return approvals.inbox(self._user, limit=NEEDED, everything=True)

    @cached_property
    def unattended(self) -> list[Care]:
        """Queues in safe mode: nobody qualified is present."""
        return minutes.unattended(self._user)

    @cached_property
    def held_back(self) -> list[StartPace]:
        """Workflows at the pace of the people that they ask."""
        return [pace for pace in pacing.held_back() if permissions.can(self._user, "see_runs", pace.workflow)]

    @cached_property
    def finished(self) -> queries.Finished:
        """Runs that ended today."""
        return queries.finished_today(self._user)

    @cached_property
    def flows(self) -> list[queries.Flow]:
        """Live work by workflow."""
        return queries.flows(self._user)

    @cached_property
    def work(self) -> queries.Flow:
        """Live work as a whole."""
        return queries.together(self.flows)

    @cached_property
    def pulse(self) -> queries.Pulse:
        """Agents and their calls."""
        return queries.pulse()

    @cached_property
    def lines(self) -> list[trail.Line]:
        """The newest events."""
        return trail.stream(self._user, self.family)


@require_GET
def shell(request: HttpRequest) -> HttpResponse:
    """A region of the frame around every page: navigation, stops in force, or the bell."""
    part = request.GET.get("part", "nav")
    if part == "bell":
        rows = approvals.inbox(_user(request), limit=5)
        told = notices.newest(_user(request), limit=5)
        return render(request, "monitoring/bell.html", {"rows": rows, "told": told})
    if part not in {"nav", "stops", "machinery", "told", "alerts"}:
        raise Http404
    return render(request, f"components/shell_{part}.html", {"shell_alerts_shown": part == "alerts"})


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """What matches a few words or a number; pages of the navigation are matched in the template's list."""
    text = request.GET.get("q", "")[:200]
    hits = finding.find(_user(request), text)
    template = "monitoring/search.html" + ("#results" if getattr(request, "wants_partial", False) else "")
    steer = finding.steer(_user(request), text, at=request.headers.get("HX-Current-URL", ""))
    return render(request, template, {"text": text, "hits": hits, "steer": steer})


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """The sealed trail, newest first."""
    user = _auditor(request)
    wanted = _filter(request.GET)
    context = {"page": trail.audit_page(user, wanted), "wanted": wanted, "kinds": wording.KINDS, "head": ledger.head()}
    context |= {"may_verify": permissions.can(user, "verify_audit"), "about": pack.about(wanted)}
    template = "monitoring/audit.html" + ("#trail" if getattr(request, "wants_partial", False) else "")
    return render(request, template, context)


@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Recompute the chain and say how far it holds. Changes nothing; a POST because it is long work."""
    user = _auditor(request)
    if not permissions.can(user, "verify_audit"):
        raise PermissionDenied(_("Verifying the trail needs the right to verify it; an administrator can grant that."))
    template = "monitoring/verification.html" + ("#outcome" if getattr(request, "wants_partial", False) else "")
    return render(request, template, {"result": ledger.verify()})


@require_POST
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The whole trail as a file, one event a line, that docs/verify_export.py checks without us.

    A POST: who took it is recorded.
    """
    user = _auditor(request)
    if not permissions.can(user, "verify_audit"):
        raise PermissionDenied(_("Exporting the trail needs the right to verify it; an administrator can grant that."))
    head = ledger.head()
    pack.record_export(user, last=head)
    name = f"watchkeeper-audit-{head}.jsonl"
    return StreamingHttpResponse(
        _in_chunks(ledger.export(last=head)),
        content_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@require_POST
def evidence(request: HttpRequest) -> HttpResponse:
    """Everything about the runs of a search, as one file that proves itself. A POST: who took it is recorded."""
    return _handed_over(request, pack.evidence, "application/zip")


@require_POST
def narrative(request: HttpRequest) -> HttpResponse:
    """Their story in the order of time, as a page or (`as=json`) for programs."""
    as_json = request.POST.get("as") == "json"
    media = "application/json" if as_json else "text/html; charset=utf-8"
    return _handed_over(request, partial(pack.narrative, as_json=as_json), media)


def _handed_over(request: HttpRequest, make: Callable[[User, trail.Filter], Pack], media: str) -> HttpResponse:
    user = _auditor(request)
    if not permissions.can(user, "verify_audit"):
        raise PermissionDenied(_("Evidence needs the right to verify the trail; an administrator can grant that."))
    wanted = _filter(request.POST)
    try:
        made = make(user, wanted)
    except (NothingFound, TooMuch) as refused:
        messages.error(request, str(refused))
        return redirect(f"{reverse('monitoring:audit')}?{urlencode(pack.about(wanted))}")
    disposition = content_disposition_header(True, made.name) or "attachment"
    return HttpResponse(
        made.body, content_type=media, headers={"Content-Disposition": disposition, "Cache-Control": "no-store"}
    )


async def _in_chunks(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that a database gives, for a server that waits for nothing: read in a thread, a thousand at a time."""
    read = sync_to_async(lambda: b"".join(islice(lines, 1000)))
    while chunk := await read():
        yield chunk


def _elsewhere(user: User) -> HttpResponse:
    """Someone who may not see the floor starts where their work is."""
    if permissions.can_somewhere(user, "see_gate"):
        return redirect(reverse("approvals:inbox"))
    raise PermissionDenied(_("You have no role yet. Ask an administrator to give you one."))


def _auditor(request: HttpRequest) -> User:
    user = _user(request)
    if not permissions.can(user, "see_audit"):
        raise PermissionDenied(_("The audit trail is for roles that may see it; an administrator can grant that."))
    return user


def _filter(given: Mapping[str, str]) -> trail.Filter:
    got = {name: given.get(name, "").strip()[:100] for name in _SEARCHED}
    run = got["run"].lstrip("#")
    return trail.Filter(
        person=got["person"],
        run=run if _is_number(run) else "",
        kind=got["kind"] if got["kind"] in wording.KINDS or got["kind"] in FAMILIES else "",
        correlation=got["correlation"],
        incident=got["incident"],
        agent=got["agent"],
        before=int(got["before"]) if _is_number(got["before"]) else None,
    )


_SEARCHED = ("person", "run", "kind", "correlation", "incident", "agent", "before")


def _family(request: HttpRequest) -> str:
    family = request.GET.get("family", "")
    return family if family in FAMILIES else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    return request.user
