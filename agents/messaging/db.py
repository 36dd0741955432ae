"""The few statements that the ORM cannot say: locks by name, the database's clock, and the doorbell of readers."""

from datetime import datetime

from django.db import connection

THREAD, CIRCLE, BRIDGE = 7411, 7412, 7413  # (these, hash of a name): advisory locks, until the transaction ends
CHANNEL = "wk_messages"


def lock(kind: int, name: str) -> None:
    """Let nobody else hold this lock until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (kind, name))


def clock() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def ring() -> None:
    """Tell idle bridges, when the transaction commits, that something has to go out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
