"""`manage.py token` makes, lists and ends tokens."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from approvals import tokens
from approvals.errors import TokenInvalid
from approvals.models import ApiToken
from tests import people

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("token", *arguments, stdout=out)
    return out.getvalue().strip()


def test_create_prints_a_secret_that_works_until_it_is_revoked():
    ana = people.person("ana", "Reviewer")

    secret = run("create", "ana", "--scopes", "read", "decide", "--may-decide")
    token = ApiToken.objects.get()

    assert tokens.verify(secret).user == ana
    assert (token.scopes, token.may_decide) == (["decide", "read"], True)
    assert secret not in run("list", "ana")
    assert run("revoke", str(token.pk)) == f"Token {token.pk} is revoked."
    with pytest.raises(TokenInvalid):
        tokens.verify(secret)


@pytest.mark.parametrize("arguments", [("create", "nobody"), ("list", "nobody"), ("revoke", "99")])
def test_what_does_not_exist_is_named(arguments):
    with pytest.raises(CommandError, match="There is no"):
        run(*arguments)
