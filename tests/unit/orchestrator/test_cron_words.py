"""Cron expressions in words."""

import pytest

from orchestrator.cron_words import in_words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("30 2 * * 1-5", "At 02:30, Monday to Friday"),
        ("0 9 * * *", "At 09:00"),
        ("0,30 9 * * *", "At 09:00 and 09:30"),
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("*/15 8-17 * * mon-fri", "Every 15 minutes, in hour 8 to 17, Monday to Friday"),
        ("5 */2 * * *", "At minute 5 of the hour, every 2 hours"),
        ("0 0 1 * *", "At 00:00, on day 1 of the month"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        ("0 0 LW 3 *", "At 00:00, on the last weekday of the month, in March"),
        ("0 12 * * 5#2", "At 12:00, Friday number 2 of the month"),
        ("0 12 13 * 5", "At 12:00, on day 13 of the month or Friday"),
        ("0 12 * 1,7 0,7", "At 12:00, Sunday, in January and July"),
        ("0 12 * jun-aug sun", "At 12:00, Sunday, in June to August"),
        ("0 12 * * 5L", "At 12:00, the last Friday of the month"),
    ],
)
def test_expression_in_words(expression: str, words: str) -> None:
    assert in_words(expression) == words
