"""How far two people who judge the same things apart from each other agree, beyond chance: Krippendorff's alpha.

1 is full agreement, 0 what chance would give, below 0 they oppose each other. Hayes & Krippendorff (2007),
doi:10.1080/19312450709336664; computed by the library `krippendorff`. From 0.8 on conclusions are held to be
reliable, from 0.667 on tentative ones (Krippendorff 2004, Content Analysis, p. 241).
"""

import warnings
from collections.abc import Sequence
from typing import Final

CATEGORIES: Final = ("accept", "changes", "refuse")
FEWEST: Final = 10  # pairs; with less a number would say more than it knows
RELIABLE: Final = 0.8
TENTATIVE: Final = 0.667


def alpha(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Alpha of nominal judgements, two of each item; None where it is undefined: no pairs, one answer throughout."""
    if not pairs or len({answer for pair in pairs for answer in pair}) < 2:
        return None
    import krippendorff  # noqa: PLC0415 - numpy, in processes that compute nothing

    codes = {name: code for code, name in enumerate(CATEGORIES)}
    table = [[codes[pair[who]] for pair in pairs] for who in (0, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


def words(value: float | None, n: int) -> str:
    """What a number of this size says."""
    if n < FEWEST:
        return "too few to say"
    if value is None:
        return "everybody always answers the same, so agreement beyond chance is not defined"
    if value >= RELIABLE:
        return "reliable"
    return "enough for tentative conclusions" if value >= TENTATIVE else "people judge by different rules"
