"""The demo's people, queues and rights. Run as often as you like: what exists is left as people changed it."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User
from django.db import transaction

from approvals import access
from approvals.models import Profile, Queue
from orchestrator.models import Workflow

PASSWORDS: Final = "demo-passwords.json"

# Queue: its title and whom it escalates to. A queue comes after the one it escalates to.
QUEUES: Final[Mapping[str, tuple[str, str]]] = {
    "oversight": ("Oversight coordinator", ""),
    "security-lead": ("Security lead", "oversight"),
    "security-oncall": ("Security on-call", "security-lead"),
    "operations": ("Operations", "oversight"),
    "quarantine": ("Quarantine", "operations"),
    "analysts": ("Analysts", "security-lead"),
    "editors": ("Editors", "oversight"),
    "refunds": ("Refunds", "oversight"),
}


class _Once(PBKDF2PasswordHasher):
    """Rounds slow down whoever guesses, and nobody guesses 96 random bits; fourteen times all of them take seconds.

    At the first sign-in Django writes the password anew, with all its rounds.
    """

    iterations = 1


@dataclass(frozen=True, slots=True)
class Person:
    """One demo account: its role, and the queues it decides."""

    username: str
    name: str
    role: str
    title: str
    queues: tuple[str, ...] = field(default=())


PEOPLE: Final = (
    Person("ana", "Ana Ribeiro", "Reviewer", "Security analyst", ("security-oncall", "analysts")),
    Person("sam", "Sam Okafor", "Reviewer", "Security analyst", ("security-oncall", "analysts")),
    Person("lena", "Lena Fischer", "Reviewer", "Head of security", ("security-oncall", "security-lead")),
    Person("tom", "Tom Nguyen", "Reviewer", "Editor and refunds clerk", ("editors", "refunds")),
    Person("mia", "Mia Tanaka", "Workflow Orchestration Manager", "Workflow manager"),
    Person("dev", "Dev Patel", "Agent Development Specialist", "Agent developer"),
    Person("ivo", "Ivo Marin", "System Integration Engineer", "Platform engineer", ("operations", "quarantine")),
    Person("quinn", "Quinn Adler", "Quality Assurance Lead", "Quality lead"),
    Person("olga", "Olga Petrova", "Human Oversight Coordinator", "Oversight coordinator"),
    Person("omar", "Omar Haddad", "Human Oversight Coordinator", "Deputy oversight coordinator"),
    Person("paula", "Paula Costa", "Performance Analytics Specialist", "Performance analyst"),
    Person("nora", "Nora Lindqvist", "Auditor", "Internal auditor"),
    Person("adam", "Adam Kowalski", "Administrator", "Administrator"),
    Person("greta", "Greta Holm", "Administrator", "Deputy administrator"),  # confirms what adam asks for, and he hers
)


def seed_queues() -> dict[str, Queue]:
    """The demo's queues, the end of each escalation chain first."""
    queues: dict[str, Queue] = {}
    for name, (title, further) in QUEUES.items():
        queues[name] = access.ensure_queue(name=name, title=title, escalates_to=queues.get(further))
    return queues


def seed_people(queues: Mapping[str, Queue], folder: Path) -> list[str]:
    """Make the accounts that are missing and return their names; their passwords are written beside the data."""
    made: list[str] = []
    for person in PEOPLE:
        if not User.objects.filter(username=person.username).exists():
            # The password is on disk before the account exists: a crash between the two locks nobody out.
            _create(person, queues, _new_password(folder / PASSWORDS, person))
            made.append(person.username)
    return made


def seed_views(people: tuple[Person, ...] = PEOPLE) -> None:
    """Let each reviewer follow the runs behind the gates they decide."""
    users = User.objects.filter(username__in=[person.username for person in people if person.queues])
    for user in users:
        for workflow in Workflow.objects.all():
            if not user.has_perm("orchestrator.see_runs", workflow):
                access.grant(to=user, permission="see_runs", on=workflow, by=None)


@transaction.atomic
def _create(person: Person, queues: Mapping[str, Queue], password: str) -> None:
    first, last = person.name.split(" ", 1)
    hashed = make_password(password, hasher=_Once())
    user = User.objects.create(username=person.username, password=hashed, first_name=first, last_name=last)
    Profile.objects.create(user=user, title=person.title)
    access.set_role(user_id=user.pk, role=person.role, by=None)
    for name in person.queues:
        access.grant(to=user, permission="decide_gates", on=queues[name], by=None)


def _new_password(path: Path, person: Person) -> str:
    known: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
    password = secrets.token_urlsafe(12)
    known[person.username] = {"password": password, "role": person.role, "name": person.name}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(known, file, indent=2)
    draft.replace(path)
    return password
