"""The engine's SQL functions, one a file, installed by migrations. A merged file never changes: add `_v2`."""

from pathlib import Path

from django.db.migrations import RunSQL

_HERE = Path(__file__).parent


def install(name: str) -> RunSQL:
    """A migration operation that runs `<name>.sql` and, backwards, `<name>.drop.sql` where there is one."""
    drop = _HERE / f"{name}.drop.sql"
    return RunSQL((_HERE / f"{name}.sql").read_text(), drop.read_text() if drop.exists() else RunSQL.noop)
