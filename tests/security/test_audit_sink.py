"""When the record cannot be written, nothing privileged is done, and reading goes on (SCENARIO 74)."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client

from approvals import access, services, tokens
from approvals.models import ApiToken, Decision, Gate
from orchestrator import acts
from orchestrator.models import Run, Stop, Task
from tests import factories, people

pytestmark = pytest.mark.django_db
MUTE = """
CREATE FUNCTION refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;
CREATE TRIGGER refuse_event BEFORE INSERT ON orchestrator_event FOR EACH ROW EXECUTE FUNCTION refuse_event();
"""
PRIVILEGED: dict[str, Callable[[User, Gate, User], object]] = {
    "decide": lambda by, gate, _other: services.decide(gate_id=gate.pk, by=by, verdict="approve", gate_version=1),
    "stop": lambda by, _gate, _other: acts.perform(
        acts.find("everything", "stop"), acts.Target("everything"), by=by, reason="x"
    ),
    "start": lambda by, _gate, _other: people.run(by=by),
    "give a role": lambda by, _gate, other: access.set_role(user_id=other.pk, role="Auditor", by=by),
    "close an account": lambda by, _gate, other: access.set_active(user_id=other.pk, active=False, by=by),
    "make a token": lambda by, _gate, _other: tokens.create(user=by, name="x", scopes=["read"]),
}


def rows() -> list[object]:
    tables = (Gate, Decision, Run, Task, Stop, ApiToken, User.groups.through)
    return [*(list(table.objects.order_by("pk").values()) for table in tables), list(User.objects.values("is_active"))]


@pytest.mark.parametrize("what", PRIVILEGED)
def test_what_cannot_be_recorded_is_not_done_and_reading_goes_on(what: str) -> None:
    root = factories.user("root", is_superuser=True)
    gate, other = people.gate(of=people.run()), people.person("zoe")
    reader = Client()
    reader.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    before = rows()
    with connection.cursor() as cursor:
        cursor.execute(MUTE)

    with pytest.raises(DatabaseError, match="disk full"), transaction.atomic():
        PRIVILEGED[what](root, gate, other)

    assert rows() == before
    for path in (f"/inbox/{gate.pk}/", "/runs/", "/audit/", "/access/"):
        assert reader.get(path).status_code == 200, path
    with transaction.atomic():
        signing_in = Client(raise_request_exception=False).post(
            "/sign-in/", {"username": "root", "password": factories.PASSWORD}
        )
        transaction.set_rollback(True)
    assert signing_in.status_code >= 500
    assert "sessionid" not in signing_in.cookies
