"""Who is suggested for a gate: who knows what it asks for, has least on hand, and is there. Claiming stays free."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now

from approvals import deciders, delegation, voting
from approvals.answerable import raci
from approvals.models import Gate, GateStatus, Profile


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person who may decide a gate: what they know of what it asks for, and how much they have on hand."""

    person: User
    knows: tuple[str, ...]
    on_hand: int
    is_away: bool
    answers: bool  # for it, by a part of one of their teams


def candidates(gate: Gate, *, apart_from: User | None = None) -> list[Candidate]:
    """Everybody who may decide it and has not voted, the best choice first; who is away comes last."""
    done = {vote.voter_id for vote in voting.standing(gate).votes} | {apart_from.pk if apart_from else 0}
    users = deciders.named(deciders.of(gate) - done)
    ids = [user.pk for user in users]
    wanted = voting.terms_of(gate).skills
    skills = dict(Profile.objects.filter(user__in=ids).values_list("user_id", "skills")) if wanted else {}
    load, away = _load(ids), delegation.away_now()
    answering = raci.members(raci.parts_of_gate(gate), raci.ACTING)
    found = [
        Candidate(
            user, tuple(one for one in wanted if one in skills.get(user.pk, ())), load[user.pk], user.pk in away,
            user.pk in answering,
        )
        for user in users
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.is_away, not one.answers, -len(one.knows), one.on_hand))


def _load(users: Collection[int]) -> Counter[int]:
    """Open gates that each of them has taken or was handed."""
    taken = Q(claimed_by__in=users, claimed_until__gt=Now())
    held = Gate.objects.filter(taken | Q(assigned_to__in=users), status=GateStatus.OPEN)
    load: Counter[int] = Counter()
    for claimed, assigned in held.values_list("claimed_by_id", "assigned_to_id"):
        load.update({pk for pk in (claimed, assigned) if pk is not None})
    return load
