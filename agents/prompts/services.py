"""The life of a prompt version: draft, in review, published. Every act: one right, one transaction, one event."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext

from agents import event_log
from agents.models import Prompt, PromptVersion
from agents.prompts import evidence, uses
from agents.prompts.errors import EvidenceMissing, OwnPrompt, PromptFixed, PromptInvalid, PromptMoved, PromptRight
from agents.prompts.variables import check, declared
from agents.rights import rights
from agents.types import Json

Status = PromptVersion.Status


@dataclass(frozen=True, slots=True)
class Text:
    """What a draft says. `variables` as in `agents.prompts.variables.Variable`."""

    template: str
    variables: list[dict[str, Json]] = field(default_factory=list)
    change: str = ""
    git_ref: str = ""
    docs_link: str = ""


@transaction.atomic
def create(*, name: str, title: str, text: Text, by: User, description: str = "") -> PromptVersion:
    """A new prompt with its first draft."""
    _require(by, "edit_agents", "write prompts")
    if slugify(name) != name or not 0 < len(name) <= 100:
        raise PromptInvalid(problem=gettext("it must be lower-case letters, digits, - and _"), field="name")
    if Prompt.objects.filter(name=name).exists():
        raise PromptInvalid(problem=gettext("there is a prompt %(name)s already") % {"name": name}, field="name")
    prompt = Prompt.objects.create(name=name, title=title[:200] or name, description=description)
    return _add_draft(prompt, text, by)


@transaction.atomic
def draft(prompt: Prompt, text: Text, *, by: User) -> PromptVersion:
    """The next version, as a draft. One draft at a time: PromptFixed says which one is open."""
    _require(by, "edit_agents", "write prompts")
    Prompt.objects.select_for_update().get(pk=prompt.pk)
    if open_ := prompt.versions.exclude(status=Status.PUBLISHED).first():
        raise PromptInvalid(
            problem=gettext("version %(number)s is still a draft or in review") % {"number": open_.number},
            field=gettext("choice of version"),
        )
    return _add_draft(prompt, text, by)


@transaction.atomic
def edit(version_id: int, text: Text, *, seen: str, by: User) -> PromptVersion:
    """Change a draft whose digest was `seen`."""
    _require(by, "edit_agents", "write prompts")
    version = _locked(version_id, Status.DRAFT)
    if seen != version.digest:
        raise PromptMoved(number=version.number, name=version.prompt.name)
    _write(version, text)
    if by.pk not in version.editors:
        version.editors = [*version.editors, by.pk]
    version.save()
    _record("prompt.changed", version, by)
    return version


@transaction.atomic
def submit(version_id: int, *, by: User) -> PromptVersion:
    """Ask for a review. It renders with its samples by then, or PromptInvalid says why not."""
    _require(by, "edit_agents", "write prompts")
    version = _locked(version_id, Status.DRAFT)
    check(version.template, declared(version.variables))
    version.status, version.submitted_at = Status.IN_REVIEW, timezone.now()
    version.save()
    _record("prompt.submitted", version, by)
    return version


@transaction.atomic
def publish(version_id: int, *, seen: str, note: str, by: User) -> PromptVersion:
    """Approve and publish what was `seen` (its digest).

    Raises OwnPrompt, EvidenceMissing, PromptMoved, PromptInvalid.
    """
    version = _under_review(version_id, seen, by)
    check(version.template, declared(version.variables))
    if problem := uses.contract_problem(version):
        raise PromptInvalid(problem=problem, field="variables")
    if not version.docs_link:
        raise PromptInvalid(
            problem=gettext("it names no documentation or training that tells of it"), field=gettext("docs link")
        )
    found = evidence.supporting(version)
    if found is None:
        raise EvidenceMissing(number=version.number, name=version.prompt.name)
    _review(version, note, by, Status.PUBLISHED)
    _record("prompt.published", version, by, evidence=found.reference, note=note[:500])
    return version


@transaction.atomic
def send_back(version_id: int, *, seen: str, note: str, by: User) -> PromptVersion:
    """Ask its editors for changes: it is a draft again."""
    version = _under_review(version_id, seen, by)
    if not note.strip():
        raise PromptInvalid(problem=gettext("nobody can act on a review without a word"), field="note")
    _review(version, note, by, Status.DRAFT)
    _record("prompt.returned", version, by, note=note[:500])
    return version


def may_review(version: PromptVersion, user: User) -> bool:
    """Whether the user may judge this version: the one place that says so."""
    return rights().can(user, "review_prompts") and user.pk not in version.editors


def _under_review(version_id: int, seen: str, by: User) -> PromptVersion:
    _require(by, "review_prompts", "review prompts")
    version = _locked(version_id, Status.IN_REVIEW)
    if not may_review(version, by):
        raise OwnPrompt(number=version.number, name=version.prompt.name)
    if seen != version.digest:
        raise PromptMoved(number=version.number, name=version.prompt.name)
    return version


def _review(version: PromptVersion, note: str, by: User, status: PromptVersion.Status) -> None:
    version.status, version.reviewer, version.review_note = status, by, note[:5000]
    version.reviewed_at = timezone.now()
    version.save()


def _locked(version_id: int, wanted: PromptVersion.Status) -> PromptVersion:
    version = PromptVersion.objects.select_related("prompt").select_for_update(of=("self",)).get(pk=version_id)
    if version.status != wanted:
        status = PromptVersion.Status(version.status).label.lower()
        raise PromptFixed(number=version.number, name=version.prompt.name, status=status)
    return version


def _add_draft(prompt: Prompt, text: Text, by: User) -> PromptVersion:
    number = (prompt.versions.aggregate(top=Max("number"))["top"] or 0) + 1
    version = PromptVersion(prompt=prompt, number=number, author=by, editors=[by.pk])
    _write(version, text)
    version.save()
    _record("prompt.drafted", version, by)
    return version


def _write(version: PromptVersion, text: Text) -> None:
    version.variables = [variable.model_dump() for variable in declared(text.variables)]
    check(text.template, declared(version.variables))
    version.template, version.change = text.template, text.change[:500]
    version.git_ref, version.docs_link = text.git_ref[:200], text.docs_link[:500]
    digest = digest_of(text.template, version.variables)
    if digest != version.digest:  # evidence is about the text: a better note does not make it old
        version.digest, version.changed_at = digest, timezone.now()


def digest_of(template: str, variables: object) -> str:
    """What evidence and reviews are bound to."""
    return hashlib.sha256(orjson.dumps([template, variables], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _require(user: User, verb: str, words: str) -> None:
    if not rights().can(user, verb):
        raise PromptRight(verb=words)


def _record(kind: str, version: PromptVersion, by: User, **more: Json) -> None:
    facts: Mapping[str, Json] = {"prompt": version.prompt.name, "version": version.number, "digest": version.digest}
    event_log.record(kind, actor=f"user:{by.get_username()}", data={**facts, **more})
