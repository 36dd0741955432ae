"""`manage.py token`: make and end API tokens for the operator at the command line."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from approvals import tokens
from approvals.errors import ApprovalsError
from approvals.models import ApiToken
from approvals.roles import SCOPES

EXAMPLES = """
  manage.py token create ana --name nightly --scopes read run --days 30
  manage.py token create robot --name plant-7 --scopes work --days 365   (an hour at a time, renewed by the worker)
  manage.py token list ana
  manage.py token revoke 12
"""


class Command(BaseCommand):
    help = "Create, list and revoke API tokens. A secret is shown once. Examples:" + EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print its secret, once")
        create.add_argument("user")
        create.add_argument("--name", default="command line")
        create.add_argument("--scopes", nargs="+", choices=list(SCOPES), default=["read"])
        create.add_argument("--days", type=int, default=90)
        create.add_argument("--minutes", type=int, help="how long each secret lives (60 with the scope work): renewed")
        create.add_argument("--may-decide", action="store_true", help="let it decide gates (needs the scope, too)")
        verbs.add_parser("list", help="a user's tokens").add_argument("user")
        verbs.add_parser("revoke", help="end a token for good").add_argument("id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except ApprovalsError as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        owner = _user(options["user"])
        wanted = {name: options[name] for name in ("name", "scopes", "days", "minutes", "may_decide")}
        _token, secret = tokens.create(user=owner, **wanted)
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        for token in ApiToken.objects.filter(user=_user(options["user"])).order_by("id"):
            state = "revoked" if token.revoked_at else f"until {token.expires_at:%Y-%m-%d}"
            self.stdout.write(f"{token.pk} {token.prefix}… {', '.join(token.scopes)} {state} {token.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        token = ApiToken.objects.select_related("user").filter(pk=options["id"]).first()
        if token is None:
            raise CommandError(f"There is no token {options['id']}; see: manage.py token list USER")
        tokens.revoke(token_id=token.pk, by=token.user)
        self.stdout.write(f"Token {token.pk} is revoked.")


def _user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"There is no user {name!r}; see: manage.py access show")
    return found
