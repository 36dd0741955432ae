"""What there is for the frame around every page to tell: one question of many tables, for there is little mostly.

The ORM reads what is there, for whoever may see it. Its own statements would each cost a page more to build than
PostgreSQL takes to answer.
"""

from typing import Final

from django.db import connection

_THERE: Final = """
    SELECT ARRAY_REMOVE(ARRAY[
        CASE WHEN EXISTS (SELECT FROM approvals_notice
                          WHERE recipient_id = %(user)s AND read_at IS NULL AND withdrawn_at IS NULL)
             THEN 'notices' END,
        CASE WHEN EXISTS (SELECT FROM orchestrator_stop
                          WHERE lifted_at IS NULL AND NOT retires AND scope NOT IN ('run', 'task'))
             THEN 'stops' END,
        CASE WHEN EXISTS (SELECT FROM monitoring_alert
                          WHERE closed_at IS NULL AND acknowledged_at IS NULL AND NOT severity = 'info')
             THEN 'alerts' END
    ], NULL)
"""


def there(user: int) -> frozenset[str]:
    """Which of these there are: `notices` that this account has not read, `stops` in force, unanswered `alerts`."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE, {"user": user})
        return frozenset(cursor.fetchone()[0])
