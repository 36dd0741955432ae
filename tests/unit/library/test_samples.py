"""The feed's sequences are the same everywhere and go on where they stopped."""

from datetime import date

import pytest

from agents.library.samples import Incidents, News, Refunds, Source

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize("kind", [Incidents, News, Refunds])
@pytest.mark.parametrize("number", [0, 1, 299, 300, 16_000])
def test_number_after_a_samples_key_is_the_next_one(kind: type[Source], number: int) -> None:
    assert kind().number_after(kind().sample(number, TODAY).key) == number + 1


@pytest.mark.parametrize("kind", [Incidents, News, Refunds])
@pytest.mark.parametrize("key", ["", "feed:", "feed:x:y", "other:1:INC-1"])
def test_number_after_a_foreign_key_starts_at_the_beginning(kind: type[Source], key: str) -> None:
    assert kind().number_after(key) == 0


def test_incidents_of_one_cycle_are_all_different() -> None:
    source = Incidents()

    assert len({source.sample(number, TODAY).key for number in range(15_666)}) == 15_666
    assert source.sample(15_666, TODAY).key == source.sample(0, TODAY).key.replace("feed:0:", "feed:1:")


def test_refunds_hold_the_exact_limit_and_one_cent_above() -> None:
    source = Refunds()
    asked = [source.sample(number, TODAY).input["amount_cents"] for number in range(400)]

    assert asked.count(100_000) >= 8
    assert asked.count(100_001) >= 8
    assert 0.04 < sum(isinstance(cents, int) and cents > 100_000 for cents in asked) / len(asked) < 0.2
