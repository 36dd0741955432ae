"""What can be wrong with a definition, in words its author can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

MAX_PROBLEMS = 50
MAX_CANDIDATES = 300  # names compared with a misspelt one


@dataclass(frozen=True, slots=True)
class DefinitionProblem:
    """One thing to put right: where, what, and how. `line` counts from 1; 0 means not known."""

    file: str
    step: str
    field: str
    message: str
    remedy: str = ""
    line: int = 0

    def __str__(self) -> str:
        file = f"{self.file}:{self.line}" if self.line else self.file
        place = ", ".join(part for part in (f'step "{self.step}"' if self.step else "", self.field) if part)
        text = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return f"{file}: {place}: {text}" if place else f"{file}: {text}"


class DefinitionError(Exception):
    """A definition was refused; `problems` lists everything that was found."""

    code = "definition_invalid"
    status = 422

    def __init__(self, problems: Sequence[DefinitionProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """Collects problems of one file, so that the author sees all of them at once (at most MAX_PROBLEMS)."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[DefinitionProblem] = []

    def add(self, message: str, *, step: str = "", field: str = "", remedy: str = "", line: int = 0) -> None:
        """Note one problem, once. Those over the cap are dropped: the first fifty are enough to work on."""
        problem = DefinitionProblem(self.file, step, field, message, remedy, line)
        if len(self._found) < MAX_PROBLEMS and problem not in self._found:
            self._found.append(problem)

    @property
    def is_full(self) -> bool:
        """True once looking further is pointless."""
        return len(self._found) >= MAX_PROBLEMS

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """Refuse the definition if anything was found."""
        if self._found:
            raise DefinitionError(self._found)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A remedy for a misspelt name: the closest known one, or the list of a few."""
    near = [name for name in known if abs(len(name) - len(word)) <= 4][:MAX_CANDIDATES]
    if close := get_close_matches(word[:100], near, n=1, cutoff=0.6):
        return f'did you mean "{close[0]}"?'
    if 0 < len(known) <= 12:
        return f"use one of {', '.join(sorted(known))}"
    return ""
