"""What is wrong with a definition, in the reader's language: the sentences of `definitions`, which know no languages.

They are made where a definition is read, with names and numbers in them. Here each is found again by its form, `{}`
standing for what is in it, and said in the language of whoever reads the page. What is not found stays as it is. The
API and the command line speak English.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from typing import Final

from django.utils.translation import get_language, gettext

from orchestrator.definition_phrases import PHRASES
from orchestrator.definitions.errors import DefinitionProblem

LONGEST: Final = 2_000  # characters of a sentence that is looked up
HOLE: Final = "{}"
# What stands in these is a sentence itself; in all others it is a name or a number, and stays as it was written.
NESTED: Final = (
    "{}; name another agent",
    "{} Or let publishing make it (make_queues)",
    "{}. Or let publishing make it (make_queues)",
)


def told(problems: Iterable[DefinitionProblem]) -> list[DefinitionProblem]:
    """The same problems, as their reader is told of them."""
    return [replace(one, message=said(one.message), remedy=said(one.remedy)) for one in problems]


def said(sentence: str) -> str:
    """One sentence in the language that is active now."""
    if not sentence or (get_language() or "en").startswith("en") or len(sentence) > LONGEST:
        return sentence
    for form, phrase in _forms():
        if found := form.fullmatch(sentence):
            parts = [said(part) if phrase in NESTED else part for part in found.groups()]
            pieces = zip_longest(gettext(phrase).split(HOLE), parts, fillvalue="")
            return "".join(piece for pair in pieces for piece in pair)
    return sentence


@cache
def _forms() -> list[tuple[re.Pattern[str], str]]:
    """Each phrase as a pattern; those that say most come first, so that none hides another."""
    by_length = sorted(PHRASES, key=lambda phrase: len(phrase.replace(HOLE, "")), reverse=True)
    return [(re.compile("(.+?)".join(map(re.escape, phrase.split(HOLE))), re.DOTALL), phrase) for phrase in by_length]
