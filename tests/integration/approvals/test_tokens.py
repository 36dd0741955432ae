"""Bearer tokens: hashed, checked, narrow, mortal."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from approvals import access, tokens
from approvals.errors import NotPermitted, TokenInvalid, UnknownName
from approvals.models import ApiToken
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> "people.User":
    return people.person("ana", "Reviewer")


def make(owner, **facts):
    return tokens.create(user=owner, **{"name": "script", "scopes": ["read"], **facts})


def test_create_keeps_only_a_hash(owner):
    token, secret = make(owner)

    stored = ApiToken.objects.filter(pk=token.pk).values().get()
    assert secret.startswith("wk_")
    assert len(secret) == 52
    assert secret not in str(stored)
    assert secret not in str(list(Event.objects.filter(kind="token.created").values_list("data", flat=True)))


def test_verify_finds_the_owner_and_notes_the_use_once_a_minute(owner, django_assert_num_queries):
    token, secret = make(owner)

    assert tokens.verify(secret).user == owner
    with django_assert_num_queries(1):
        tokens.verify(secret)

    token.refresh_from_db()
    assert token.last_used_at is not None


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda s: s[:-1] + ("0" if s[-1] != "0" else "1"), id="last letter"),
        pytest.param(lambda s: s[:10] + s[11:], id="a letter lost"),
        pytest.param(lambda s: s.replace("wk_", "sk_"), id="another prefix"),
        pytest.param(lambda s: s + " ", id="a blank"),
        pytest.param(lambda s: "wk_" + "é" * 49, id="not ASCII"),
        pytest.param(lambda s: "", id="nothing"),
    ],
)
def test_verify_of_a_misspelt_token_never_asks_the_database(owner, spoil, django_assert_num_queries):
    _, secret = make(owner)

    with django_assert_num_queries(0), pytest.raises(TokenInvalid):
        tokens.verify(spoil(secret))


def test_verify_of_a_well_formed_token_that_nobody_made_is_refused(owner):
    token, secret = make(owner)
    token.delete()

    with pytest.raises(TokenInvalid):
        tokens.verify(secret)


def test_verify_of_a_revoked_token_is_refused(owner):
    token, secret = make(owner)

    tokens.revoke(token_id=token.pk, by=owner)
    tokens.revoke(token_id=token.pk, by=owner)

    with pytest.raises(TokenInvalid, match="revoked"):
        tokens.verify(secret)
    assert Event.objects.filter(kind="token.revoked").count() == 1


def test_verify_of_an_expired_token_is_refused(owner):
    token, secret = make(owner)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=Now() - timedelta(seconds=1))

    with pytest.raises(TokenInvalid, match="expired"):
        tokens.verify(secret)


def test_verify_of_a_closed_accounts_token_is_refused(owner):
    _, secret = make(owner)
    access.set_active(user_id=owner.pk, active=False, by=None)

    with pytest.raises(TokenInvalid, match="closed"):
        tokens.verify(secret)


def test_create_without_the_right_to_the_api_is_refused():
    with pytest.raises(NotPermitted):
        make(people.person("eve"))


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "root"]])
def test_create_with_unknown_scopes_is_refused(owner, scopes):
    with pytest.raises(UnknownName):
        make(owner, scopes=scopes)


def test_revoke_of_somebody_elses_token_needs_the_right(owner):
    token, secret = make(owner)

    with pytest.raises(UnknownName):
        tokens.revoke(token_id=token.pk, by=people.person("eve", "Reviewer"))
    assert tokens.verify(secret)

    tokens.revoke(token_id=token.pk, by=people.person("adam", "Administrator"))
    with pytest.raises(TokenInvalid):
        tokens.verify(secret)
