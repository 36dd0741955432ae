"""What workflows are for, as tags in `metadata.tags`: the gallery filters templates and workflows by them."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Final

import yaml

from agents.marking import marked as _

USES: Final = (
    _("pipeline"),
    _("document generation"),
    _("sequential approvals"),
    _("multi-system collection"),
    _("multi-department"),
    _("risk-based"),
    _("approval routing"),
    _("exception handling"),
)


@cache
def of_template(text: str) -> tuple[str, ...]:
    """The tags that a template of ours carries."""
    return tuple(yaml.safe_load(text)["metadata"].get("tags", ()))


def counted(tagged: Iterable[Iterable[str]]) -> list[tuple[str, int]]:
    """Each tag with how many carry it: the uses first, in their order, then any other by name."""
    counts = Counter(tag for tags in tagged for tag in {*tags})
    others = sorted(tag for tag in counts if tag not in USES)
    return [(tag, counts[tag]) for tag in (*USES, *others) if counts[tag]]
