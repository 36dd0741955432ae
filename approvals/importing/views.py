"""The page where a file of answers is checked, and then given to the steps that wait for them."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from approvals import permissions
from approvals.importing.carrying import Result, carry_out
from approvals.importing.reading import MOST_BYTES, MOST_LINES, FileUnreadable, read
from approvals.permissions import Person
from approvals.views import user_of


@require_http_methods(["GET", "HEAD", "POST"])
def import_answers(request: HttpRequest) -> HttpResponse:
    """The form; a file that was sent is read, and each of its lines says what became of it."""
    user = user_of(request)
    if not may_import(user):
        raise PermissionDenied(_("Your roles let you give no answers. An administrator can change that."))
    if request.method != "POST":
        return _page(request)
    reason, only_check = request.POST.get("reason", "").strip(), "check" in request.POST
    text = request.POST.get("text", "")
    sent = request.FILES.get("file")
    if sent is not None and (sent.size or 0) > MOST_BYTES:
        return _page(request, problem=_("The file is too large; send it in parts."), status=422)
    content = sent.read() if sent is not None else text.encode()
    if not reason and not only_check:
        return _page(request, text=_shown(content), problem=_("Say where the answers come from."), status=422)
    try:
        lines = read(content)
    except FileUnreadable as flaw:
        return _page(request, text=_shown(content), reason=reason, problem=str(flaw), status=flaw.status)
    results = carry_out(lines, by=user, reason=reason or "check", only_check=only_check)
    return _page(
        request, results=results, is_check=only_check, text=_shown(content) if only_check else "", reason=reason
    )


def may_import(user: Person) -> bool:
    """Whether somebody may end any wait at all: each line asks again for its own step."""
    return any(permissions.can_somewhere(user, verb) for verb in ("decide_gate", "steer_run"))


def _shown(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace").replace("\x00", "")


def _page(
    request: HttpRequest, *, status: int = 200, results: list[Result] | None = None, **more: object
) -> HttpResponse:
    found = results or []
    counts = {state: sum(one.state == state for one in found) for state in ("done", "fits", "refused")}
    context = {"results": found, "counts": counts, "most": MOST_LINES, **more}
    return render(request, "approvals/import.html", context, status=status)
