"""Which week, month and quarter a digest is about."""

from datetime import UTC, datetime

import pytest

from monitoring.digests import spans


@pytest.mark.parametrize(
    ("kind", "now", "since", "until"),
    [
        ("weekly", "2026-11-29", "2026-11-16", "2026-11-23"),  # a Sunday
        ("weekly", "2026-11-30", "2026-11-23", "2026-11-30"),  # a Monday
        ("monthly", "2027-01-01", "2026-12-01", "2027-01-01"),
        ("monthly", "2028-03-31", "2028-02-01", "2028-03-01"),
        ("quarterly", "2026-11-29", "2026-07-01", "2026-10-01"),
        ("quarterly", "2027-01-01", "2026-10-01", "2027-01-01"),
    ],
)
def test_the_newest_span_that_is_over(kind, now, since, until):
    found = spans.last(kind, datetime.fromisoformat(now).replace(hour=7, tzinfo=UTC))

    assert [f"{at:%Y-%m-%d}" for at in found] == [since, until]
