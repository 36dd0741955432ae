"""The arrays of a turn are written by hand: what a batch holds is what PostgreSQL reads."""

from typing import Any

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.settled import Settled

_TYPES = ("bigint", "smallint", "text", "text", "text", "float8", "text", "text", "text")
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(
    ["", "NULL", "null", '"', "\\", '\\"', "{}", "{a,b}", " ", '{"a": "\\\\ \\" \\n"}', ","]
)
_ROWS = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**15), 2**15 - 1),
    _TEXTS,
    _TEXTS | st.none(),
    _TEXTS | st.none(),
    st.floats(allow_nan=False) | st.none(),
    _TEXTS,
    _TEXTS | st.none(),
    _TEXTS | st.none(),
)


@given(rows=st.lists(_ROWS, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_batch_holds_is_what_the_database_reads(db: Any, rows: list[tuple[Any, ...]]) -> None:
    columns = [[row[place] for row in rows] for place in range(len(_TYPES))]
    batch = Settled(*columns)

    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"%s::{kind}[]" for kind in _TYPES), batch.arrays())
        read = cursor.fetchone()

    assert [list(column) for column in read] == columns
