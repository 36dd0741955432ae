"""agents.glimpse: at no moment of its writing is anything of a secret shown."""

import pytest

from agents import glimpse

KEY = "ghp_" + "a1B2c3D4e5F6" * 3
CASES = {
    "a token": (f"The key is {KEY}, keep it.", KEY),
    "a password by its name": ("Set password = hunter2hunter2xyz and go on.", "hunter2hunter2xyz"),
    "JSON without spaces": (f'{{"a":"b","key":"{KEY}","c":"d"}}', KEY),
    "a card in groups": ("Charge 4111 1111 1111 1111 now please.", "4111 1111 1111 1111"),
    "an account": ("Send it to DE89 3704 0044 0532 0130 00 today.", "DE89 3704 0044 0532 0130 00"),
    "a telephone number": ("Call (212) 555-0187 before noon.", "(212) 555-0187"),
    "an address": ("Write to jane.doe@example.com at once.", "jane.doe@example.com"),
}


@pytest.mark.parametrize(("text", "hidden"), CASES.values(), ids=CASES)
def test_no_moment_of_writing_shows_anything_of_it(text: str, hidden: str) -> None:
    before = text.index(hidden)
    for length in range(len(text) + 1):
        assert text[:length][:before].startswith(glimpse.shown(text[:length])[:before])
        told = glimpse.shown(text[:length])
        assert not any(hidden[at : at + 4] in told for at in range(len(hidden) - 3)), told
    assert "hidden]" in glimpse.shown(f"{text} ")


def test_words_are_shown_as_soon_as_they_are_whole_and_the_newest_of_many() -> None:
    assert glimpse.shown("The quick brown fo") == "The quick brown "
    assert glimpse.shown("It was 1999 when she") == "It was 1999 when "
    many = "word " * 3_000
    assert len(glimpse.shown(many)) <= glimpse.LONGEST
    assert glimpse.shown(many).startswith("word ")
    assert glimpse.shown("x" * 20_000) == ""
