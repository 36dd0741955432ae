"""The pages of digests: which one gets, the one under way from live data, one that was told, and the same as a PDF."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from monitoring.digests import building, printing, spans, telling
from monitoring.metrics.views import viewer
from monitoring.models import Digest, DigestWish

KINDS = {
    "weekly": (
        _("Weekly, for a team"),
        _("Targets, runs that needed people, bottlenecks, promises, people, money. Made on Mondays."),
    ),
    "monthly": (
        _("Monthly, for executives"),
        _("Targets, what it brings, money, risk, what changed, promises, the next four weeks. Made on the first."),
    ),
    "quarterly": (_("Quarterly, for a board"), _("The same over a quarter. Made on the first day of the next.")),
}


@require_GET
def digests(request: HttpRequest) -> HttpResponse:
    """Which digests one gets, and those that one got."""
    user = viewer(request)
    wished = set(DigestWish.objects.filter(user=user).values_list("kind", flat=True))
    kinds = [(kind, title, about, kind in wished) for kind, (title, about) in KINDS.items()]
    told = [(one, telling.title(one)) for one in Digest.objects.filter(user=user).defer("body")[:50]]
    return render(request, "monitoring/digests.html", {"kinds": kinds, "told": told, "has_address": bool(user.email)})


@require_GET
def running(request: HttpRequest, kind: str) -> HttpResponse:
    """The digest of the span under way, made now; kept nowhere."""
    user = viewer(request)
    if kind not in KINDS:
        raise Http404
    since, until = spans.now_running(kind, timezone.now())
    live = Digest(kind=kind, user=user, since=since, until=until, body=building.build(user, kind, since, until))
    return _shown(request, live)


@require_GET
def digest(request: HttpRequest, pk: int) -> HttpResponse:
    """One that was told: to whom it was told, and nobody else."""
    return _shown(request, get_object_or_404(Digest, pk=pk, user=viewer(request)))


@require_POST
def wish(request: HttpRequest, kind: str) -> HttpResponse:
    """Be told, or no longer."""
    user = viewer(request)
    if kind not in KINDS:
        raise Http404
    telling.wish(user, kind, wanted=request.POST.get("wanted") == "1")
    return redirect("monitoring:digests")


def _shown(request: HttpRequest, found: Digest) -> HttpResponse:
    title = telling.title(found)
    if request.GET.get("as") == "pdf":
        name = f"watchkeeper-{found.kind}-{found.since:%Y-%m-%d}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return HttpResponse(printing.pdf(found, title), content_type="application/pdf", headers=headers)
    return render(request, "monitoring/digest.html", {"digest": found, "title": title})
