"""Agents' memory in the database: every read and write of `MemoryItem`, within its scope and by its rules.

What has expired is left out by the database's clock in every query; `purge` only tidies up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import new as hmac
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Least, Now

from agents.errors import MemoryRefused
from agents.guardrails import consent, keyring, sealing
from agents.guardrails.masking import Report, mask_tags
from agents.guardrails.ports import watch
from agents.memory import embedding, entering
from agents.memory.entering import Entry
from agents.models import Agent, MemoryItem
from agents.types import Json

IDLE: Final = timedelta(minutes=30)
KEPT: Final = {"short": IDLE, "task": timedelta(days=7), "long": timedelta(days=90)}
SOURCES: Final = ("agent", "tool", "person")
MOST: Final = 10_000  # items of one agent in one workflow
RECALLED: Final = 50
PURGED: Final = 5_000
UNEMBEDDED: Final = 200  # items of a time without a model that one search makes up for

type Before = Callable[[], object]  # runs inside the writing transaction, and raises if the write may not be


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory, as the engine knows it: nothing of it comes from the agent."""

    agent: str
    version: int
    realm: str  # the workflow
    run: int | None = None
    task: int | None = None
    key: str = ""
    sees: frozenset[str] = frozenset()


def alive() -> QuerySet[MemoryItem]:
    """What has not expired, by the database's clock."""
    return MemoryItem.objects.filter(expires_at__gt=Now())


def remember(scope: Scope, given: dict[str, Any], *, before: Before = lambda: None) -> int:
    """Keep one text. Raises MemoryRefused."""
    layer, source = str(given["layer"]), str(given.get("source", "agent"))
    if layer not in KEPT or source not in SOURCES:
        raise MemoryRefused(problem=f"layer is one of {', '.join(KEPT)}, and source of {', '.join(SOURCES)}", rule="")
    entry = entering.checked(str(given["text"]), subject=entering.named(str(given.get("subject") or "")), source=source)
    return _keep(scope, entry, _Wanted(layer, source, _lifetime(layer, given.get("days"))), before)


def summarise(scope: Scope, given: dict[str, Any], *, before: Before = lambda: None) -> int:
    """Keep a text in the place of items. Raises MemoryRefused."""
    items = list(_own(scope).filter(pk__in=given["items"]).order_by("pk"))
    if not items or len(items) != len(set(given["items"])):
        raise MemoryRefused(problem="not every item that it covers is there any more", rule="")
    people = {item.subject for item in items}
    if len(people) > 1:
        raise MemoryRefused(problem="it covers items about different people; make a summary for each", rule="")
    inherited = frozenset(tag for item in items for tag in item.tags)
    entry = entering.checked(str(given["text"]), subject=people.pop(), source="agent", inherited=inherited)
    layer = str(given.get("layer", "long"))
    if layer not in KEPT:
        raise MemoryRefused(problem=f"layer is one of {', '.join(KEPT)}", rule="")
    gone = tuple(item.pk for item in items)
    return _keep(scope, entry, _Wanted(layer, "agent", KEPT[layer], gone), before)


def recall(scope: Scope, given: dict[str, Any]) -> list[Json]:
    """What the agent may be told, as its call asks. Raises MemoryUnavailable."""
    subject = entering.named(str(given.get("subject") or ""))
    limit = max(1, min(int(given.get("limit") or 5), RECALLED))
    rows = _recallable(scope, subject)
    if layer := given.get("layer"):
        rows = rows.filter(layer=layer)
    if query := str(given.get("query") or "").strip():
        rows = _nearest(rows.filter(layer=MemoryItem.Layer.LONG), query[: entering.LONGEST])
    else:
        rows = rows.order_by("-pk")
    found = list(rows.defer("embedding")[:limit])
    _touch(found)
    return [_told(item, scope.sees) for item in found]


@transaction.atomic
def forget(scope: Scope, given: dict[str, Any], *, before: Before = lambda: None) -> int:
    """Delete items of this agent here; how many there were."""
    before()
    rows = list(_own(scope).filter(pk__in=given["items"]).values_list("pk", flat=True))
    if rows:
        MemoryItem.objects.filter(pk__in=rows).delete()
        watch().happened(
            "memory.deleted", actor=f"agent:{scope.agent}", data={"items": list[Json](rows)}, key=scope.key
        )
    return len(rows)


def purge() -> int:
    """Upkeep: delete what has expired; how much."""
    old = MemoryItem.objects.filter(expires_at__lte=Now()).values("pk")[:PURGED]
    return MemoryItem.objects.filter(pk__in=old).delete()[0]


def text_of(item: MemoryItem, sees: frozenset[str]) -> str:
    """The item's text for someone who may see `sees`: what is tagged otherwise is masked."""
    text = str(sealing.open_sealed(item.text).value) if item.text.startswith(sealing.PREFIX) else item.text
    tags = frozenset(item.tags)
    return text if tags <= sees else str(mask_tags(text, tags - sees, Report(), ""))


def write_text(item: MemoryItem, entry: Entry) -> None:
    """Set an item's text, sealed if it is tagged, and everything that follows from it."""
    item.tags, item.subject, item.quarantine = sorted(entry.tags), entry.subject, entry.quarantine
    sealed = sealing.seal(entry.text, entry.tags, agent="", place="memory") if entry.tags else entry.text
    item.text, item.digest = sealed, digest_of(entry.text)


def digest_of(text: str) -> str:
    """A keyed hash of a text: equal texts are known without being read."""
    return hmac(keyring.keys()[-1].encode(), text.encode(), sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Where and for how long an entry is to be kept. `gone`: the items that it takes the place of."""

    layer: str
    source: str
    lifetime: timedelta
    gone: tuple[int, ...] = ()


def _keep(scope: Scope, entry: Entry, wanted: _Wanted, before: Before) -> int:
    layer, lifetime = wanted.layer, wanted.lifetime
    vector = embedding.passages([entry.masked])[0] if layer == MemoryItem.Layer.LONG else None
    with transaction.atomic():
        before()
        agent = Agent.objects.select_for_update(no_key=True).get(name=scope.agent)  # the count below stays true
        own = alive().filter(agent=agent, realm=scope.realm)
        place = {"layer": layer, "subject": entry.subject, "digest": digest_of(entry.text), **_where(scope, layer)}
        if known := own.filter(**place).first():
            MemoryItem.objects.filter(pk=known.pk).update(used_at=Now(), expires_at=Now() + lifetime)
            MemoryItem.objects.filter(pk__in=wanted.gone).exclude(pk=known.pk).delete()
            return known.pk
        if own.count() >= MOST:
            raise MemoryRefused(
                problem=f"the agent remembers {MOST:,} things here already; let it forget some", rule=""
            )
        item = MemoryItem(
            agent=agent,
            realm=scope.realm,
            layer=layer,
            source=wanted.source,
            writer=f"agent:{scope.agent}@{scope.version}",
            key=scope.key,
            embedding=vector,
            expires_at=Now() + lifetime,
            covers_from=min(wanted.gone, default=None),
            covers_to=max(wanted.gone, default=None),
            **_where(scope, layer),
        )
        write_text(item, entry)
        item.save()
        MemoryItem.objects.filter(pk__in=wanted.gone).delete()
        _tell(scope, item)
    return item.pk


def _tell(scope: Scope, item: MemoryItem) -> None:
    kind = "memory.quarantined" if item.quarantine else "memory.kept"
    data: dict[str, Json] = {"item": item.pk, "agent": scope.agent, "layer": item.layer, "source": item.source}
    data |= {"tags": list[Json](item.tags), "reason": item.quarantine} if item.quarantine else {}
    watch().happened(kind, actor=f"agent:{scope.agent}", data=data, key=scope.key)


def _where(scope: Scope, layer: str) -> dict[str, int | None]:
    """What binds an item of this layer: short to its run, task to its task, long to neither."""
    return {
        "run": scope.run if layer != MemoryItem.Layer.LONG else None,
        "task": scope.task if layer == MemoryItem.Layer.TASK else None,
    }


def _own(scope: Scope) -> QuerySet[MemoryItem]:
    """Everything alive that this call's agent may touch here."""
    bound = (
        Q(layer="long")
        | Q(layer="short", run=scope.run or 0)
        | Q(layer="task", run=scope.run or 0, task=scope.task or 0)
    )
    return alive().filter(bound, agent__name=scope.agent, realm=scope.realm)


def _recallable(scope: Scope, subject: str) -> QuerySet[MemoryItem]:
    """Of that, what is not quarantined, and about nobody or about the person named, if they still agree."""
    rows = _own(scope).filter(quarantine="").filter(Q(subject="") | Q(subject=subject))
    return rows if subject and consent.holds(subject, consent.MEMORY) else rows.filter(tags=[])


def _nearest(rows: QuerySet[MemoryItem], query: str) -> QuerySet[MemoryItem]:
    asked = embedding.query(query)
    _embed_late(rows)
    distance = embedding.distance_to(asked)
    return rows.filter(embedding__isnull=False).annotate(distance=distance).order_by("distance", "-pk")


def _embed_late(rows: QuerySet[MemoryItem]) -> None:
    """Items that were kept while no model was installed."""
    late = list(rows.filter(embedding=None)[:UNEMBEDDED])
    vectors = embedding.passages([text_of(item, frozenset()) for item in late])
    for item, vector in zip(late, vectors, strict=True):
        item.embedding = vector
    MemoryItem.objects.bulk_update(late, ["embedding"])


def _touch(found: list[MemoryItem]) -> None:
    """Being recalled keeps short-term memory alive; the others live as long as they were given."""
    pks = [item.pk for item in found]
    MemoryItem.objects.filter(pk__in=pks, expires_at__gt=Now()).update(used_at=Now())
    MemoryItem.objects.filter(pk__in=pks, layer="short", expires_at__gt=Now()).update(
        expires_at=Least(F("created_at") + timedelta(days=1), Now() + IDLE)
    )


def _told(item: MemoryItem, sees: frozenset[str]) -> Json:
    distance = getattr(item, "distance", None)
    return {
        "id": item.pk,
        "text": text_of(item, sees),
        "layer": item.layer,
        "source": item.source,
        "writer": item.writer,
        "created_at": item.created_at.isoformat(),
        "covers": [item.covers_from, item.covers_to] if item.covers_from else None,
        "score": None if distance is None else round(1 - distance, 4),
    }


def _lifetime(layer: str, days: float | None) -> timedelta:
    longest = KEPT[layer]
    return longest if days is None else min(longest, max(timedelta(seconds=1), timedelta(days=float(days))))
