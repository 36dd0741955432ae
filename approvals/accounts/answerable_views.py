"""The page that says who answers for what: hub and spokes, RACI with its gaps, and who is on call for each queue."""

from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from approvals.accounts.queries import filled
from approvals.accounts.views import base
from approvals.answerable import raci, rotas
from approvals.answerable.models import Part, Rota, TeamKind
from approvals.models import Queue

PARTS = (Part.Letter.RESPONSIBLE, Part.Letter.ACCOUNTABLE, Part.Letter.CONSULTED, Part.Letter.INFORMED)


@dataclass(frozen=True, slots=True)
class Place:
    """Hub, spokes or partners: the teams of one kind, each with the queues that it owns."""

    title: str
    teams: list[Group]


@require_GET
def answerable(request: HttpRequest) -> HttpResponse:
    """Who answers for what."""
    now = timezone.now()
    on_call = [
        (rota, rotas.coming(rota, now)) for rota in Rota.objects.select_related("queue").order_by("queue__title")
    ]
    rows = [
        (row, filled(about=f"{row.matter}:{row.name}" if row.name else row.matter)) for row in raci.table()
    ]  # fmt: skip
    context = base(request, "answerable") | {
        "places": _places(),
        "rows": rows,
        "letters": PARTS,
        "missing": sum(bool(row.gaps) for row, _fill in rows),
        "ownerless": list(Queue.objects.filter(owner=None)),
        "on_call": on_call,
        "teams": Group.objects.count(),
    }
    return render(request, "access/answerable.html", context)


def _places() -> list[Place]:
    teams = Group.objects.filter(kind__isnull=False).select_related("kind").prefetch_related("owned_queues")
    known = list(teams.annotate(people=Count("user", filter=Q(user__is_active=True))).order_by("name"))
    return [Place(str(kind.label), [team for team in known if team.kind.kind == kind.value]) for kind in TeamKind.Kind]
