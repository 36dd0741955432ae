"""Words that templates make of numbers."""

import pytest

from config.templatetags.watchkeeper import percent


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (809, 809, "100 %"),
        (808, 809, "99 %"),  # "100 %" beside "1 failed" would be a lie
        (1, 809, "< 1 %"),
        (0, 809, "0 %"),
        (0.61, 1, "61 %"),
        (0, 0, "–"),
        (None, 1, "–"),
    ],
)
def test_percent_says_all_and_nothing_only_when_it_is(part, whole, words):
    assert percent(part, whole) == words
