"""The statements of this app that the ORM cannot say: the rights epoch and its wake-up call, a lock by name."""

from collections.abc import Iterable, Sequence

from django.db import connection

DELEGATIONS_LOCK = 0x57_4B_71_44
ANSWERING_LOCK = 0x57_4B_71_51
ACCESS_LOCK = 0x57_4B_71_45


def bump_rights_epoch(user_ids: Sequence[int]) -> int:
    """Count one change of rights and tell the web processes whose rights changed, when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_rightsepoch (id, value) VALUES (1, 1) "
            "ON CONFLICT (id) DO UPDATE SET value = approvals_rightsepoch.value + 1 RETURNING value"
        )
        epoch: int = cursor.fetchone()[0]
        cursor.execute("SELECT pg_notify('wk_rights', who::text) FROM unnest(%s::bigint[]) AS who", [list(user_ids)])
    return epoch


def lock_delegations() -> None:
    """Make delegations one after the other, until this transaction ends: two could close a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DELEGATIONS_LOCK])


def lock_access() -> None:
    """Make changes of access one after the other, until this transaction ends: two could undo each other's ground."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ACCESS_LOCK])


def nudge_notices(user_ids: Iterable[int]) -> None:
    """Tell the web processes whose notices changed, when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify('wk_notices', who::text) FROM unnest(%s::bigint[]) AS who", [sorted(set(user_ids))]
        )


def be_the_one_who_answers() -> bool:
    """Be the one process that answers questions, until it ends; False if another one is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ANSWERING_LOCK])
        taken: bool = cursor.fetchone()[0]
    return taken


def next_number(table: str) -> int:
    """The next number of a table's own sequence, which its next row will not get."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        return int(cursor.fetchone()[0])
