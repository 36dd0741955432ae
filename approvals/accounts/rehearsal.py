"""What a change of access would do to everybody: made by the very code that saves it, looked at, and taken back.

Nothing here knows what the change is. All rights are read before it and after it, in one transaction that then rolls
the change back to a savepoint; what differs is what people are told.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from guardian.models import GroupObjectPermission, UserObjectPermission

from agents.models import Agent
from agents.types import Json
from approvals.models import Gate, GateStatus, Profile, Queue
from approvals.roles import AGENT_GRANTS, QUEUE_GRANTS, VERBS, WORKFLOW_GRANTS, verbs_of
from orchestrator.models import Workflow

type Right = tuple[str, str, int]  # verb, kind of object or "" for everywhere, the object's id or 0
GRANTS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "workflow": WORKFLOW_GRANTS, "queue": QUEUE_GRANTS, "agent": AGENT_GRANTS,
}  # fmt: skip
MOST_PEOPLE: Final = 8  # people that are named; the rest is counted
MOST_GATES: Final = 5_000  # waiting decisions that are looked at
# What takes two people: with fewer who hold the right it cannot be done any more.
PAIRS: Final[Mapping[str, Promise]] = {
    "manage_access": gettext_lazy("fewer than two people could change access, so nobody could confirm a risky change"),
    "edit_policies": gettext_lazy("fewer than two people could edit tool policies: nobody approves what one proposes"),
    "review_prompts": gettext_lazy("fewer than two people could review prompts: nobody reviews what one of them wrote"),
}  # fmt: skip
# What one person should not hold together: whoever hands out a right should not use it.
APART: Final = (("manage_access", "decide_gate"), ("manage_access", "verify_audit"), ("publish_version", "decide_gate"))


@dataclass(frozen=True, slots=True)
class Standing:
    """The rights of every active account at one moment, and which accounts are one person's (account: main one)."""

    holds: Mapping[int, frozenset[Right]]
    mains: Mapping[int, int]

    def persons(self, verb: str, kind: str = "", ref: int = 0) -> set[int]:
        """The people who may do this everywhere or, if an object is given, on it."""
        wanted = {(verb, "", 0), (verb, kind, ref)}
        return {self.mains.get(user, user) for user, rights in self.holds.items() if rights & wanted}


@dataclass(frozen=True, slots=True)
class Effects:
    """What would be different. `gains` and `losses` are by account; `left` are waiting decisions without anyone."""

    gains: Mapping[int, frozenset[Right]]
    losses: Mapping[int, frozenset[Right]]
    left: tuple[tuple[int, str, str], ...]  # gate's id, its title, its queue's title
    unpublishable: tuple[str, ...]  # titles of workflows
    duties: tuple[str, ...]  # sentences about what takes two people, or should not be one person's
    made: Mapping[int, str]  # accounts that are open only then, with their names: taken back, nobody could say them

    def lines(self) -> tuple[str, ...]:
        """Who gains and who loses what, in words."""
        if not self.gains and not self.losses:
            return (_("What anybody may do stays as it is."),)
        names = {**_names({*self.gains, *self.losses}), **self.made}
        titles = _titles(right for rights in (*self.gains.values(), *self.losses.values()) for right in rights)
        return (
            *_told(self.gains, names, titles, _("%(person)s may now: %(rights)s.")),
            *_told(self.losses, names, titles, _("%(person)s may no longer: %(rights)s.")),
        )

    def warnings(self) -> tuple[str, ...]:
        """What would be left without anyone, and which separations of duties would not hold any more."""
        found = [_decisions(self.left)] if self.left else []
        if self.unpublishable:
            words = _("Nobody could publish a new version of: %(workflows)s.")
            found.append(words % {"workflows": _some(self.unpublishable)})
        return (*found, *self.duties)

    def bound(self) -> Json:
        """What somebody who was shown this has agreed to. An account that is made has another number each time."""
        rights: list[Json] = [
            [self.made.get(user, user), sign, *right]
            for sign, changed in (("+", self.gains), ("-", self.losses))
            for user, held in changed.items()
            for right in held
        ]
        return {"rights": sorted(rights, key=str), "left": [pk for pk, *_words in self.left]}


class _TakenBack(Exception):
    """Rolls the savepoint back."""


def rehearse(change: Callable[[], object]) -> Effects:
    """Make the change, see what it does, and take it back. Raises whatever the change refuses with."""
    with transaction.atomic():
        before, after, made = standing(), None, dict[int, str]()
        try:
            with transaction.atomic():
                change()
                after = standing()
                made = _names(after.holds.keys() - before.holds.keys())
                raise _TakenBack
        except _TakenBack:
            pass
        assert after is not None
        return compare(before, after, made)


def standing() -> Standing:
    """Everybody's rights now: a handful of queries, however many people there are."""
    roles: dict[int, dict[str, list[str]]] = defaultdict(dict)
    held: dict[int, set[Right]] = {}
    for pk, is_superuser in User.objects.filter(is_active=True).values_list("pk", "is_superuser"):
        held[pk] = {(verb, "", 0) for verb in VERBS} if is_superuser else set()
    through = User.groups.through.objects.values_list("user_id", "group__name", "group__terms__verbs")
    for user, name, verbs in through:
        roles[user][name] = verbs or []
    for user, names in roles.items():
        if user in held:
            held[user] |= {(verb, "", 0) for verb in verbs_of(names)}
    for user, right in _granted():
        if user in held and (right[0], "", 0) not in held[user]:
            held[user].add(right)
    mains = dict(Profile.objects.filter(same_as__isnull=False).values_list("user_id", "same_as_id"))
    return Standing({user: frozenset(rights) for user, rights in held.items()}, mains)


def compare(before: Standing, after: Standing, made: Mapping[int, str] | None = None) -> Effects:
    """What is different."""
    gains = {user: rights - before.holds.get(user, frozenset()) for user, rights in after.holds.items()}
    losses = {user: rights - after.holds.get(user, frozenset()) for user, rights in before.holds.items()}
    losses = {user: _really(rights, after.holds.get(user, frozenset())) for user, rights in losses.items()}
    gains = {user: _really(rights, before.holds.get(user, frozenset())) for user, rights in gains.items()}
    return Effects(
        {user: rights for user, rights in gains.items() if rights},
        {user: rights for user, rights in losses.items() if rights},
        _left(before, after),
        _unpublishable(before, after),
        (*_pairs(before, after), *_together(before, after)),
        made or {},
    )


def _really(rights: frozenset[Right], other: frozenset[Right]) -> frozenset[Right]:
    """Without rights on single objects that hold everywhere on the other side."""
    return frozenset(right for right in rights if (right[0], "", 0) not in other)


def _granted() -> Iterable[tuple[int, Right]]:
    ours = {
        "content_type__model__in": tuple(GRANTS),
        "content_type__app_label__in": ("orchestrator", "approvals", "agents"),
    }
    columns = ("content_type__model", "permission__codename", "object_pk")
    own = UserObjectPermission.objects.filter(**ours).values_list("user_id", *columns)
    teams = GroupObjectPermission.objects.filter(group__user__isnull=False, **ours).values_list("group__user", *columns)
    for user, kind, codename, ref in (*own, *teams):
        for verb in GRANTS[kind].get(codename, ()):
            yield user, (verb, kind, int(ref))


def _left(before: Standing, after: Standing) -> tuple[tuple[int, str, str], ...]:
    """Waiting decisions for which there are enough people before, and not after."""
    queues = dict(Queue.objects.values_list("pk", "title"))
    there = {
        queue: (before.persons("decide_gate", "queue", queue), after.persons("decide_gate", "queue", queue))
        for queue in queues
    }
    fewer = [queue for queue, (was, now) in there.items() if was - now]
    columns = ("pk", "title", "queue_id", "barred", "requested_by_id", "approvals")
    gates = Gate.objects.filter(status=GateStatus.OPEN, queue__in=fewer).order_by("pk").values_list(*columns)
    found = []
    for pk, title, queue, barred, requested_by, needed in gates[:MOST_GATES] if fewer else ():
        was, now = (len(people - {*barred, requested_by}) for people in there[queue])
        if was >= needed > now:
            found.append((pk, title, queues[queue]))
    return tuple(found)


def _unpublishable(before: Standing, after: Standing) -> tuple[str, ...]:
    verb = "publish_version"
    if after.persons(verb):
        return ()  # somebody may, everywhere
    workflows = Workflow.objects.order_by("title").values_list("pk", "title")
    return tuple(
        title
        for pk, title in workflows
        if before.persons(verb, "workflow", pk) and not after.persons(verb, "workflow", pk)
    )


def _pairs(before: Standing, after: Standing) -> tuple[str, ...]:
    broken = [words for verb, words in PAIRS.items() if len(before.persons(verb)) >= 2 > len(after.persons(verb))]
    return tuple(_("Separation of duties: %(what)s.") % {"what": words} for words in broken)


def _together(before: Standing, after: Standing) -> tuple[str, ...]:
    """Who would now hold what should be held apart."""
    found = []
    for first, second in APART:
        new = after.persons(first) & after.persons(second) - (before.persons(first) & before.persons(second))
        words = _("Separation of duties: %(person)s would hold both “%(first)s” and “%(second)s”.")
        names = _names(new)
        found += [
            words % {"person": names[user], "first": _(VERBS[first]), "second": _(VERBS[second])}
            for user in sorted(new)
        ]
    return tuple(found)


def _names(users: Iterable[int]) -> dict[int, str]:
    people = User.objects.filter(pk__in=list(users))
    return {user.pk: user.get_full_name() or user.username for user in people}


def _titles(rights: Iterable[Right]) -> dict[tuple[str, int], str]:
    refs: dict[str, set[int]] = defaultdict(set)
    for _verb, kind, ref in rights:
        refs[kind].add(ref)
    found: dict[tuple[str, int], str] = {}
    for kind, model in (("workflow", Workflow), ("queue", Queue), ("agent", Agent)):
        rows = model._default_manager.filter(pk__in=refs[kind]).values_list("pk", "title") if refs[kind] else ()
        found |= {(kind, pk): title for pk, title in rows}
    return found


def _told(
    changed: Mapping[int, frozenset[Right]],
    names: Mapping[int, str],
    titles: Mapping[tuple[str, int], str],
    words: str,
) -> tuple[str, ...]:
    """One line a person; people to whom the same happens share one."""
    same: dict[str, list[str]] = defaultdict(list)
    for user, rights in changed.items():
        same[_rights(rights, titles)].append(names.get(user, str(user)))
    return tuple(words % {"person": _some(sorted(people)), "rights": rights} for rights, people in same.items())


def _rights(rights: frozenset[Right], titles: Mapping[tuple[str, int], str]) -> str:
    order = list(VERBS)
    told = []
    for verb, kind, ref in sorted(rights, key=lambda right: (order.index(right[0]), right[1:])):
        on = titles.get((kind, ref), f"#{ref}")
        told.append(_(VERBS[verb]) if not kind else f"{_(VERBS[verb])} ({on})")
    return "; ".join(told)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    if len(every) <= MOST_PEOPLE:
        return ", ".join(every)
    more = len(every) - MOST_PEOPLE
    return ngettext("%(names)s and %(count)d more", "%(names)s and %(count)d more", more) % {
        "names": ", ".join(every[:MOST_PEOPLE]), "count": more,
    }  # fmt: skip


def _decisions(left: tuple[tuple[int, str, str], ...]) -> str:
    words = ngettext(
        "%(count)d waiting decision would be left without anyone who may take it: %(which)s.",
        "%(count)d waiting decisions would be left without anyone who may take them: %(which)s.",
        len(left),
    )
    return words % {"count": len(left), "which": _some(f"{title} ({queue})" for _pk, title, queue in left)}
