"""Words that templates make of numbers."""

import pytest

from config.templatetags.watchkeeper import percent, plain


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (809, 809, "100\xa0%"),
        (808, 809, "99\xa0%"),  # "100 %" beside "1 failed" would be a lie
        (1, 809, "<\xa01\xa0%"),
        (0, 809, "0\xa0%"),
        (0.61, 1, "61\xa0%"),
        (0, 0, "–"),
        (None, 1, "–"),
    ],
)
def test_percent_says_all_and_nothing_only_when_it_is(part, whole, words):
    assert percent(part, whole) == words


def test_plain_takes_the_numbers_that_agents_give() -> None:
    """A projected cost is a number; a card that holds one was answered with "Something broke"."""
    assert [plain(value) for value in (0.5, 3, None, "two\nlines")] == ["0.5", "3", "None", "two lines"]
