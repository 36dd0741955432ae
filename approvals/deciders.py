"""Who may decide where, for all people at once: a handful of queries, however many people there are."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.contrib.auth.models import User
from django.db.models import Q
from guardian.models import GroupObjectPermission, UserObjectPermission

from approvals import duties
from approvals.models import Gate, Queue
from approvals.roles import QUEUE_GRANTS, ROLES

_DECIDING = [codename for codename, verbs in QUEUE_GRANTS.items() if "decide_gate" in verbs]


def by_queue() -> dict[int, set[int]]:
    """The ids of active users who may decide, by queue; of single gates they may still be barred."""
    everywhere = set(
        User.objects.filter(Q(is_superuser=True) | by_role("decide_gate"), is_active=True).values_list("pk", flat=True)
    )
    on = {
        "content_type__app_label": "approvals", "content_type__model": "queue", "permission__codename__in": _DECIDING,
    }  # fmt: skip
    own = UserObjectPermission.objects.filter(user__is_active=True, **on).values_list("object_pk", "user_id")
    groups = GroupObjectPermission.objects.filter(group__user__is_active=True, **on)
    found: dict[int, set[int]] = defaultdict(lambda: set(everywhere))
    for queue in Queue.objects.values_list("pk", flat=True):
        found[queue] = set(everywhere)
    for ref, user in [*own, *groups.values_list("object_pk", "group__user")]:
        found[int(ref)].add(user)
    return dict(found)


def of(gate: Gate, known: Mapping[int, set[int]] | None = None, mains: Mapping[int, int] | None = None) -> set[int]:
    """The user ids who may decide this gate, those with a hand in it left out."""
    users = (known if known is not None else by_queue()).get(gate.queue_id, set())
    main = mains if mains is not None else duties.persons(users)
    barred = {*gate.barred, gate.requested_by_id}
    return {user for user in users if not {user, main.get(user, user)} & barred}


def asked(queue: Queue) -> list[User]:
    """The active people to whom a grant on this queue lets them decide there; without any, who may decide everywhere.

    Whoever may decide everywhere is asked only where nobody else would be: they may look at any queue by themselves.
    """
    deciding = Q(content_type__app_label="approvals", content_type__model="queue", permission__codename__in=_DECIDING)
    on = deciding & Q(object_pk=str(queue.pk))
    own = Q(pk__in=UserObjectPermission.objects.filter(on).values("user"))
    by_team = Q(groups__in=GroupObjectPermission.objects.filter(on).values("group"))
    found = list(User.objects.filter(own | by_team, is_active=True).distinct().order_by("pk"))
    return found or holders("decide_gate")


def holders(verb: str) -> list[User]:
    """The active people whose roles let them do this everywhere."""
    return list(User.objects.filter(by_role(verb), is_active=True).distinct().order_by("pk"))


def by_role(verb: str) -> Q:
    """Users to whom a role gives this right everywhere: a shipped one, or one that was made here."""
    shipped = [role for role, verbs in ROLES.items() if verb in verbs]
    return Q(groups__name__in=shipped) | Q(groups__terms__verbs__contains=[verb])


def named(users: Collection[int]) -> list[User]:
    """These people by name."""
    return list(User.objects.filter(pk__in=users).order_by("first_name", "last_name", "username"))
