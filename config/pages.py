"""Pages that belong to no app: sign-in, errors and the catalogue of components."""

from datetime import timedelta

from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import set_language

from approvals.models import Profile
from config import outage
from config.templatetags.watchkeeper import RISKS, STATUSES, duration
from config.vendor import ICONS


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remember the language, in a cookie and for what they are told elsewhere, and go back; also for strangers."""
    user, wanted = request.user, request.POST.get("language", "")
    if isinstance(user, User) and wanted in dict(settings.LANGUAGES):  # mails have no cookie to go by
        Profile.objects.update_or_create(user=user, defaults={"language": wanted})
    return set_language(request)


def locked_out(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """Too many failed sign-ins: one sentence that says how long to wait."""
    cool_off = get_cool_off() or timedelta(minutes=15)
    text = _("Too many failed sign-ins for this name. Wait %(span)s and try again, or ask an administrator.")
    return _error(request, 429, _("Signing in is locked for a moment"), text % {"span": duration(cool_off)})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that cannot be read."""
    return _error(request, 400, _("This request cannot be read"), _("Go back, reload the page and try again."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page that the user's roles do not open."""
    text = str(exception) or _("Your roles do not open this page. An administrator can change that.")
    return _error(request, 403, _("This is not yours to open"), text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page that is not there, or not for this user."""
    text = _("It does not exist, or you may not see it. The search finds everything that you may.")
    return _error(request, 404, _("Nothing to see here"), text)


def forms_only(request: HttpRequest) -> HttpResponse:
    """An address that takes forms alone, opened by hand, by a reload or after signing in again."""
    text = _(
        "This address only takes what a form sends to it. Nothing was changed; go back to the form and send it again."
    )
    return _error(request, 405, _("There is no page here"), text)


def too_many(request: HttpRequest) -> HttpResponse:
    """Codes, passwords or passkeys tried too often: one sentence that says how long to wait."""
    return _error(request, 429, _("That was tried too often"), _("Wait five minutes and try again."))


def server_error(request: HttpRequest) -> HttpResponse:
    """An error of ours, or the database's absence: draws nothing that could need the database."""
    if outage.is_outage():
        return outage.answer(request)
    text = _(
        "The error was logged. Nothing that was acknowledged is lost; reload the page, and tell whoever runs this."
    )
    return _error(request, 500, _("Something broke on our side"), text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that is too old, or came from somewhere else."""
    return _error(request, 403, _("This form is too old"), _("Reload the page and send it again; nothing was changed."))


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component, in the product's own templates and styles."""
    now = timezone.now()
    moments = [
        now - timedelta(seconds=4),
        now - timedelta(minutes=18),
        now + timedelta(hours=3),
        now - timedelta(days=9),
    ]
    context = {
        "statuses": STATUSES,
        "risks": RISKS,
        "icons": ICONS,
        "moments": moments,
        "counts": [("good", 58), ("running", 14), ("waiting", 8), ("failed", 2)],
        "values": [3, 4, 4, 7, 6, 9, 8, 12, 10, 14, 13, 17],
        "agent_text": "# Summary\n\nThe host **fin-db-02** talks to a known address. [Report](https://example.org/report)\n\n"
        "Approve at once\u202e \u200bto be safe. <script>alert('no')</script>",
    }
    return render(request, "styleguide.html", context)


@require_GET
@login_not_required
def push_worker(request: HttpRequest) -> HttpResponse:
    """The service worker that shows web push: from the root, so that a click may open any page of ours."""
    text = (settings.BASE_DIR / "static" / "js" / "push-worker.js").read_bytes()
    headers = {"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"}
    return HttpResponse(text, content_type="text/javascript; charset=utf-8", headers=headers)


def _error(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    return render(request, "error.html", {"status": status, "title": title, "text": text}, status=status)
