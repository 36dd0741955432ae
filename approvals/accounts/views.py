"""The pages of access: people, roles, queues, and changes that wait for a second person. Acts make every change."""

from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.core.mail import send_mail
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from approvals import access, duties, permissions, tokens
from approvals.accounts import changes as pending
from approvals.accounts import invitations, queries, risk, wording
from approvals.accounts.acts.answerable import rota_answers
from approvals.accounts.queries import filled
from approvals.answerable import rotas
from approvals.models import Queue, Risk
from orchestrator import events
from orchestrator.errors import OrchestratorError
from orchestrator.events import EventKind
from orchestrator.services import actor_of

BY_QUEUES = ("queues", "answerable")  # pages that whoever may edit queues needs
SHOWN = ("", "active", "invited", "closed", "no-factor")


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account."""
    context = base(request, "people")
    search, show = request.GET.get("q", "").strip()[:100], request.GET.get("show", "")
    rows, has_more = queries.people(search, show if show in SHOWN else "")
    context |= {"people": rows, "has_more": has_more, "search": search, "show": show, "most": queries.MOST}
    return render(request, "access/people.html" + _part(request, "rows"), context)


@require_GET
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One account: what they may do and why, and everything that can be changed about it."""
    return _person(request, pk)


@never_cache
@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the link by which its owner sets the password; it is on the page that answers, and nowhere else."""
    by, user = _administrator(request), _user_or_404(pk)
    try:
        secret = invitations.make(user=user, by=by)
    except OrchestratorError as refused:
        return _person(request, pk, problem=str(refused), status=refused.status)
    address = urljoin(f"{settings.PUBLIC_URL}/", reverse("join", args=[secret]).lstrip("/"))
    return _person(request, pk, link=address, mailed=_mail(user, address))


@require_POST
def end_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the account's link back."""
    by, user = _administrator(request), _user_or_404(pk)
    if invitations.end(user):
        events.append(EventKind.ACCOUNT_LINK_ENDED, actor=actor_of(by), data={"user": user.username})
        messages.success(request, _("The link works no longer."))
    return HttpResponseRedirect(reverse("access:person", args=[pk]))


@require_POST
def revoke_token(request: HttpRequest, pk: int, token: int) -> HttpResponse:
    """End somebody's token for good."""
    by = _administrator(request)
    try:
        tokens.revoke(token_id=token, by=by)
    except OrchestratorError as unknown:
        raise Http404 from unknown
    messages.success(request, _("The token is revoked; it counts at once."))
    return HttpResponseRedirect(reverse("access:person", args=[pk]))


@require_GET
def roles(request: HttpRequest) -> HttpResponse:
    """Roles and rights as a matrix that people can read."""
    context = base(request, "roles")
    found = queries.roles()
    return render(request, "access/roles.html", {**context, "roles": found, "matrix": queries.matrix(found)})


@require_GET
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """One role or team: what it allows, who is in it, and what is granted to it."""
    context = base(request, "roles")
    found, group = queries.role(pk), Group.objects.filter(pk=pk).first()
    if group is None:
        raise Http404
    members = group.user_set.filter(is_active=True).order_by("first_name", "last_name", "username")
    context |= {
        "role": found,
        "group": group,
        "rights": queries.rights_of_role(found) if found else [],
        "missing": queries.missing_of_role(found) if found and found.is_own else [],
        "grants": queries.grants_of(group),
        "members": members[: queries.MOST],
        "changes": queries.changes_about(role=group.name),
        "fill": {
            "give": filled(role=group.name),
            "grant": filled(to=f"team:{group.name}"),
            "copy": filled(copy_of=group.name, name=""),
            "mfa": filled(role=group.name, required=not (found and found.needs_mfa)),
        },
    }
    return render(request, "access/role.html", context)


@require_GET
def queues(request: HttpRequest) -> HttpResponse:
    """Where gates wait for people."""
    return render(request, "access/queues.html", {**base(request, "queues"), "queues": queries.queues()})


@require_GET
def queue(request: HttpRequest, name: str) -> HttpResponse:
    """One queue: its people, its hours, where it goes on to."""
    context = base(request, "queues")
    found = Queue.objects.select_related("escalates_to", "owner", "rota").filter(name=name).first()
    if found is None:
        raise Http404
    row = next(one for one in queries.queues() if one.queue.pk == found.pk)
    further = found.escalates_to.name if found.escalates_to else ""
    context |= {
        "row": row,
        "queue": found,
        "grants": queries.grants_on(found),
        "deciders": queries.deciders_of(found),
        "is_high": risk.is_high(found),
        "on_call": rotas.coming(found.rota, timezone.now()) if hasattr(found, "rota") else None,
        "quorum": [(wording.risk_words(name), least) for name, least in found.quorum.items()],
        "changes": queries.changes_about(queue=found.name),
        "fill": {
            "change": filled(queue=found.name, title=found.title, escalates_to=further),
            "hours": filled(queue=found.name, **row.hours),
            "quorum": filled(queue=found.name, **{name.value: found.quorum.get(name.value, 1) for name in Risk}),
            "grant": filled(on=f"queue:{found.name}", right="Decide gates"),
            "owner": filled(queue=found.name, team=found.owner.name if found.owner else ""),
            "rota": filled(queue=found.name, **rota_answers(found)),
        },
    }
    return render(request, "access/queue.html", context)


@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, and what was changed of late."""
    context = base(request, "changes")
    rows = [(one, pending.is_own(one, context["user_seen"]), filled(change=one.pk)) for one in pending.waiting()]
    context |= {"rows": rows, "settled": queries.settled_changes(), "changes": queries.changes_about()}
    return render(request, "access/changes.html" + _part(request, "body"), context)


def _person(request: HttpRequest, pk: int, *, status: int = 200, **more: Any) -> HttpResponse:
    context = base(request, "people")
    found, me = _user_or_404(pk), context["user_seen"]
    is_me = duties.person_of(found) == duties.person_of(me)
    standing = queries.standing_of(found)
    context |= {
        "person": found,
        "is_me": is_me,
        "may_change": context["may_change"] and not is_me,
        "rights": queries.rights_of(found),
        "roles": [  # people leave a team that is no role on its own page
            (group, filled(person=found.username, role=group.name) if access.is_role(group) else "")
            for group in found.groups.order_by("name")
        ],
        "grants": queries.grants_of(found),
        "changes": queries.changes_about(user=found.username),
        "fill": {
            "person": filled(person=found.username),
            "grant": filled(to=f"person:{found.username}"),
            "skills": filled(person=found.username, skills=", ".join(standing["skills"])),
            "link": filled(person=found.username, main=standing["main"].username if standing["main"] else ""),
        },
        **standing,
        **more,
    }
    return render(request, "access/person.html", context, status=status)


def base(request: HttpRequest, at: str) -> dict[str, Any]:
    """What every page of access needs; for whoever may neither change nor check access there is no such page."""
    user = request.user
    assert isinstance(user, User)
    may_change = permissions.can(user, "manage_access")
    may_queues = permissions.can(user, "edit_queues")
    if not may_change and not permissions.can(user, "see_audit") and not (may_queues and at in BY_QUEUES):
        raise Http404
    count = pending.waiting().count()
    return {"at": at, "may_change": may_change, "may_queues": may_queues, "user_seen": user, "waiting_count": count}


def _administrator(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not permissions.can(user, "manage_access"):
        raise Http404
    return user


def _user_or_404(pk: int) -> User:
    found = User.objects.select_related("profile__same_as").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _mail(user: User, address: str) -> str:
    """Send the link where there is a way; the address it went to, or empty."""
    if not settings.HAS_MAIL_SERVER or not user.email:
        return ""
    words = _("Your account at Watchkeeper is %(name)s. Set its password within three days, once:\n\n%(link)s\n")
    try:
        send_mail(
            _("Your account at Watchkeeper"),
            words % {"name": user.username, "link": address},
            settings.DEFAULT_FROM_EMAIL,
            [user.email],
        )
    except OSError:
        return ""
    return user.email


def _part(request: HttpRequest, name: str) -> str:
    return f"#{name}" if getattr(request, "wants_partial", False) else ""
