"""Workers' tokens live for an hour; a worker renews its own, and nobody else's ends by that."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from agents.client import Client, Refused, Worker, agent
from agents.client.renewing import stored
from approvals import tokens
from approvals.errors import TokenInvalid, TokenNotRenewable
from approvals.models import ApiToken, RenewedSecret
from orchestrator.models import Event
from tests import people
from tests.api import Api
from tests.engine import eventually
from tests.outside import ECHO, secret_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner() -> Any:
    return people.person("robot", "Agent Development Specialist")


def later(span: timedelta) -> None:
    """As if so much time had passed since all of it was made."""
    ApiToken.objects.update(
        created_at=F("created_at") - span,
        expires_at=F("expires_at") - span,
        renewable_until=F("renewable_until") - span,
    )
    RenewedSecret.objects.update(expires_at=F("expires_at") - span)


def test_workers_secret_lives_for_an_hour_and_others_for_their_days(owner):
    work, _ = tokens.create(user=owner, name="w", scopes=["work"])
    read, _ = tokens.create(user=owner, name="r", scopes=["read"])
    for token in (work, read):
        token.refresh_from_db()

    assert work.expires_at - work.created_at == timedelta(hours=1)
    assert read.expires_at - read.created_at == timedelta(days=90)
    assert (work.renewable_until - work.created_at, read.renewable_until) == (timedelta(days=90), None)


def test_secret_is_renewed_for_an_hour_more_and_each_ends_at_its_own_time(owner):
    token, first = tokens.create(user=owner, name="w", scopes=["work"])
    later(timedelta(minutes=40))
    _, second = tokens.renew(token_id=token.pk)
    _, of_another_worker = tokens.renew(token_id=token.pk)
    later(timedelta(minutes=30))

    with pytest.raises(TokenInvalid, match="expired"):
        tokens.verify(first)
    assert {tokens.verify(secret).pk for secret in (second, of_another_worker)} == {token.pk}
    later(timedelta(minutes=31))
    with pytest.raises(TokenInvalid, match="expired"):
        tokens.verify(second)
    assert second not in str(list(RenewedSecret.objects.values())) + str(list(Event.objects.values_list("data")))


def test_renewing_ends_with_the_time_for_which_a_token_was_made(owner):
    token, _ = tokens.create(user=owner, name="w", scopes=["work"], days=1)
    later(timedelta(hours=23, minutes=50))
    renewed, _ = tokens.renew(token_id=token.pk)
    token.refresh_from_db()
    assert renewed.expires_at == token.expires_at == token.renewable_until
    later(timedelta(minutes=11))
    with pytest.raises(TokenNotRenewable, match="is over"):
        tokens.renew(token_id=token.pk)


def test_revoked_token_takes_all_its_secrets_with_it(owner):
    token, first = tokens.create(user=owner, name="w", scopes=["work"])
    _, second = tokens.renew(token_id=token.pk)

    tokens.revoke(token_id=token.pk, by=owner)

    for secret in (first, second):
        with pytest.raises(TokenInvalid, match="revoked"):
            tokens.verify(secret)
    with pytest.raises(TokenNotRenewable, match="revoked"):
        tokens.renew(token_id=token.pk)


def test_too_many_live_secrets_are_refused(owner, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_LIVE", 2)
    token, _ = tokens.create(user=owner, name="w", scopes=["work"])
    tokens.renew(token_id=token.pk)
    tokens.renew(token_id=token.pk)
    with pytest.raises(TokenNotRenewable, match="2 of its secrets"):
        tokens.renew(token_id=token.pk)
    later(timedelta(minutes=61))
    tokens.renew(token_id=token.pk)
    assert RenewedSecret.objects.count() == 1


def test_program_renews_its_own_token_and_only_one_that_is_short_lived(owner):
    _, short = tokens.create(user=owner, name="w", scopes=["work"])
    _, long = tokens.create(user=owner, name="r", scopes=["read"])

    said = Api(short).post("/workers/token").json()
    refused = Api(long).post("/workers/token")

    assert (said["seconds"], tokens.verify(said["secret"]).user) == (3600, owner)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "token_not_renewable")
    assert Api(said["secret"]).post("/workers/agents", ECHO).status_code == 201
    assert Event.objects.filter(kind="token.renewed").count() == 1


def test_client_goes_on_with_the_new_secret(address: str, owner):
    with Client(address, secret_of(owner)) as client:
        client.renew()
        later(timedelta(minutes=40))
        client.renew()
        later(timedelta(minutes=30))
        client.heartbeat([])
        later(timedelta(minutes=31))
        with pytest.raises(Refused, match="expired"):
            client.renew()


@agent("outside", input=ECHO["input"], output=ECHO["output"])
def echo(given: dict[str, Any], call: Any) -> Any:
    return {"said": given["text"]}


def test_worker_renews_by_itself_and_keeps_the_secret_for_a_restart(address: str, owner, tmp_path: Path, settings: Any):
    settings.WORKER_LEASE_SECONDS = 2
    _, secret = tokens.create(user=owner, name="w", scopes=["work"])
    ApiToken.objects.update(lasts=timedelta(seconds=4))
    kept = tmp_path / "token"
    worker = Worker(address, secret, agents=[echo], wait=0.2).keep_token(kept)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        eventually(lambda: RenewedSecret.objects.count() >= 2)
    finally:
        worker.stop()
        thread.join(20)
    assert (kept.stat().st_mode & 0o777, stored(kept) != secret) == (0o600, True)
    tokens.verify(stored(kept))
