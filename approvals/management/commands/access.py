"""`manage.py access`: who may do what, and the operator's way to change it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from agents.models import Agent
from approvals import access, permissions
from approvals.accounts import invitations
from approvals.errors import ApprovalsError
from approvals.models import Queue
from approvals.roles import AGENT_GRANTS, QUEUE_GRANTS, ROLES, VERBS, WORKFLOW_GRANTS
from orchestrator.models import Workflow

EXAMPLES = """
  manage.py access show [ana]
  manage.py access role ana Reviewer            (--take takes it away)
  manage.py access grant ana decide_gates queue:refunds
  manage.py access revoke ana decide_gates queue:refunds
  manage.py access add ana Administrator        (prints a password, once)
  manage.py access close ana | open ana
  manage.py access link ana                     (prints an address at which ana sets the password, once)
"""


class Command(BaseCommand):
    help = "Show and change roles, grants and accounts. Every change is recorded as an event. Examples:" + EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        show = verbs.add_parser("show", help="the matrix of roles, or one user's rights")
        show.add_argument("user", nargs="?")
        add = verbs.add_parser("add", help="make an account with a role; its first password is printed, once")
        add.add_argument("user")
        add.add_argument("role", choices=list(ROLES))
        role = verbs.add_parser("role", help="give a role, or take it away")
        role.add_argument("user")
        role.add_argument("role", help="a role's name")
        role.add_argument("--take", action="store_true", help="take the role away")
        for name in ("grant", "revoke"):
            change = verbs.add_parser(name, help=f"{name} a permission on one workflow or queue")
            change.add_argument("holder", help="a user's or a role's name")
            change.add_argument("permission", choices=[*WORKFLOW_GRANTS, *QUEUE_GRANTS, *AGENT_GRANTS])
            change.add_argument("on", help="workflow:NAME, queue:NAME or agent:NAME")
        verbs.add_parser("link", help="print a link that sets an account's password, once").add_argument("user")
        for name in ("close", "open"):
            verbs.add_parser(name, help=f"{name} an account").add_argument("user")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except ApprovalsError as error:
            raise CommandError(str(error)) from error

    def _show(self, options: dict[str, Any]) -> None:
        if options["user"] is None:
            for role, verbs in ROLES.items():
                self.stdout.write(f"{role}: {', '.join(verb for verb in VERBS if verb in verbs)}")
            return
        rights = permissions.rights_of(_user(options["user"]))
        self.stdout.write(f"everywhere: {', '.join(verb for verb in VERBS if verb in rights.everywhere) or 'nothing'}")
        for kind, model, grants in (
            ("workflow", Workflow, rights.workflows),
            ("queue", Queue, rights.queues),
            ("agent", Agent, rights.agents),
        ):
            names = dict(model._default_manager.values_list("pk", "name"))
            for verb, refs in sorted(grants.items()):
                self.stdout.write(f"{verb} on {kind} {', '.join(sorted(names[ref] for ref in refs if ref in names))}")

    def _add(self, options: dict[str, Any]) -> None:
        password = access.add_account(username=options["user"], role=options["role"])
        self.stdout.write(f"{options['user']} may sign in with the password {password} (it is not shown again).")

    def _role(self, options: dict[str, Any]) -> None:
        user = _user(options["user"])
        access.set_role(user_id=user.pk, role=options["role"], by=None, held=not options["take"])
        self.stdout.write(f"{user.username}: {', '.join(user.groups.values_list('name', flat=True)) or 'no role'}")

    def _grant(self, options: dict[str, Any]) -> None:
        access.grant(
            to=_holder(options["holder"]), permission=options["permission"], on=_object(options["on"]), by=None
        )
        self.stdout.write("granted")

    def _revoke(self, options: dict[str, Any]) -> None:
        access.revoke(
            of=_holder(options["holder"]), permission=options["permission"], on=_object(options["on"]), by=None
        )
        self.stdout.write("revoked")

    def _close(self, options: dict[str, Any]) -> None:
        access.set_active(user_id=_user(options["user"]).pk, active=False, by=None)
        self.stdout.write("closed")

    def _link(self, options: dict[str, Any]) -> None:
        secret = invitations.make(user=_user(options["user"]), by=None)
        self.stdout.write(f"{settings.PUBLIC_URL}{reverse('join', args=[secret])} (it works once, for three days)")

    def _open(self, options: dict[str, Any]) -> None:
        access.set_active(user_id=_user(options["user"]).pk, active=True, by=None)
        self.stdout.write("opened")


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user named {name!r}; check the spelling.")
    return user


def _holder(name: str) -> User | Group:
    return access.role_group(name) if name in access.role_names() else _user(name)


def _object(text: str) -> Workflow | Queue | Agent:
    kind, _, name = text.partition(":")
    models: dict[str, type[Workflow] | type[Queue] | type[Agent]]
    models = {"workflow": Workflow, "queue": Queue, "agent": Agent}
    found = models[kind]._default_manager.filter(name=name).first() if kind in models else None
    if found is None:
        raise CommandError(f"{text!r} names nothing; write workflow:NAME, queue:NAME or agent:NAME.")
    return found
