"""What people do to what agents remember: correct, delete, let out of quarantine, erase a person."""

from django.db import transaction
from django.utils.translation import gettext

from agents.errors import MemoryRefused
from agents.guardrails.ports import watch
from agents.memory import embedding, entering, store
from agents.models import MemoryItem
from agents.types import Json


@transaction.atomic
def correct(pk: int, text: str, *, by: str, reason: str) -> None:
    """Give an item another text; the rules of what may enter hold for people too. Raises MemoryRefused."""
    _require(reason)
    item = _locked(pk)
    entry = entering.checked(text, subject=item.subject, source="person")
    if entry.quarantine:
        raise MemoryRefused(problem=entry.quarantine, rule="")
    store.write_text(item, entry)
    item.source, item.writer, item.embedding = "person", f"user:{by}", None
    if item.layer == MemoryItem.Layer.LONG:
        item.embedding = embedding.passages([entry.masked])[0]
    item.save()
    _record("memory.corrected", item, by, reason)


@transaction.atomic
def delete(pk: int, *, by: str, reason: str) -> None:
    """Forget one item for good."""
    _require(reason)
    item = _locked(pk)
    _record("memory.deleted", item, by, reason)
    item.delete()


@transaction.atomic
def release(pk: int, *, by: str, reason: str) -> None:
    """Let a quarantined item be recalled."""
    _require(reason)
    item = _locked(pk)
    if not item.quarantine:
        raise MemoryRefused(problem=gettext("it is not in quarantine"), rule="")
    MemoryItem.objects.filter(pk=pk).update(quarantine="")
    _record("memory.released", item, by, reason)


@transaction.atomic
def erase(subject: str, *, by: str, reason: str) -> int:
    """Forget everything about a person, of every agent and workflow; how much there was."""
    _require(reason)
    hashed = entering.named(subject)
    if not hashed:
        raise MemoryRefused(problem=gettext("nobody is named"), rule="")
    count, _each = MemoryItem.objects.filter(subject=hashed).delete()
    data: dict[str, Json] = {"subject": hashed[:12], "count": count, "reason": reason}
    watch().happened("memory.erased", actor=f"user:{by}", data=data)
    return count


def _locked(pk: int) -> MemoryItem:
    item = MemoryItem.objects.select_for_update().select_related("agent").filter(pk=pk).first()
    if item is None:
        raise MemoryRefused(problem=gettext("the item is gone"), rule="")
    return item


def _require(reason: str) -> None:
    if not reason.strip():
        raise MemoryRefused(problem=gettext("no reason was given"), rule="")


def _record(kind: str, item: MemoryItem, by: str, reason: str) -> None:
    data: dict[str, Json] = {"item": item.pk, "agent": item.agent.name, "layer": item.layer, "reason": reason.strip()}
    watch().happened(kind, actor=f"user:{by}", data=data)
