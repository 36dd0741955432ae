"""How severe an incident is, from what its alert says, with a calibrated probability for each level.

The model is a linear classifier over words and word pairs, trained by `manage.py train_severity` (`training.severity`)
and kept beside this module with its model card. Inference needs numpy only, and loads it when the first alert is
judged: 12 MB that not every worker needs.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from agents.library.incidents import LEVELS, Level
from agents.library.text import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Weights = NDArray[np.float32]
type Places = NDArray[np.intp]

DATA = Path(__file__).parent / "data"
MODEL_FILE = DATA / "severity.npz"
CARD_FILE = DATA / "severity_card.json"

# A text that states its own grade would leak the answer: advisories quote CVSS scores and say "high severity".
_GRADES = re.compile(
    r"cvss\S*(?:[^.\n]{0,40}?\d+(?:\.\d)?)?"
    r"|\b(?:low|medium|moderate|high|critical)[- ]severity\b"
    r"|\bseverity\b[^a-z0-9\n]{0,6}(?:rating|score|level)?[^a-z0-9\n]{0,6}(?:low|medium|moderate|high|critical)?\b"
    r"|\bcritical(?:ly|ity)?\b|\bsevere(?:ly)?\b|\bseverity\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The likeliest level, the probability of each, and the words that spoke for it most."""

    level: Level
    probabilities: dict[str, float]
    reasons: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """The calibrated probability that `level` is right."""
        return self.probabilities[self.level]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights as stored: `names` are the terms by place, `coefficients` levels x terms."""

    names: tuple[str, ...]
    terms: dict[str, int]
    idf: Weights
    coefficients: Weights
    intercepts: Weights
    temperature: float

    def vector(self, found: Sequence[str]) -> tuple[Places, Floats]:
        """The known terms and their weights: sublinear TF-IDF of length 1."""
        import numpy as np

        counts = Counter(index for term in found if (index := self.terms.get(term)) is not None)
        places: Places = np.fromiter(counts, dtype=np.intp, count=len(counts))
        plain: Floats = np.array([1 + math.log(count) for count in counts.values()], dtype=np.float64)
        weights = plain * self.idf[places].astype(np.float64)
        norm = float(np.sqrt((weights**2).sum())) or 1.0
        return places, weights / norm

    def scores(self, found: Sequence[str]) -> Floats:
        """The classifier's raw score of each level."""
        places, weights = self.vector(found)
        raw: Floats = self.coefficients[:, places].astype(weights.dtype) @ weights + self.intercepts
        return raw

    def assess(self, found: Sequence[str]) -> Assessment:
        """The level of an alert with these `terms`, with calibrated probabilities."""
        probabilities = softmax(self.scores(found) / self.temperature)
        winner = int(probabilities.argmax())
        named: dict[str, float] = {
            level: round(float(value), 4) for level, value in zip(LEVELS, probabilities, strict=True)
        }
        return Assessment(LEVELS[winner], named, self._reasons(found, winner))

    def _reasons(self, found: Sequence[str], winner: int, limit: int = 5) -> tuple[str, ...]:
        places, weights = self.vector(found)
        pull = (self.coefficients[winner, places] - self.coefficients[:, places].mean(axis=0)) * weights
        best = [int(places[order]) for order in (-pull).argsort()[:limit] if pull[order] > 0]
        return tuple(self.names[index] for index in best)


def terms(text: str, *, reference: str = "", category: str = "") -> list[str]:
    """Words and neighbouring pairs, without the grades a text gives itself, and the alert's source and category."""
    found = words(_GRADES.sub(" ", text))
    pairs = [f"{left} {right}" for left, right in pairwise(found)]
    return [*found, *pairs, f"source={_host(reference)}", f"category={category or 'other'}"]


def softmax(scores: Floats) -> Floats:
    """Probabilities from scores along the last axis."""
    import numpy as np

    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    normal: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return normal


def _host(reference: str) -> str:
    host = re.match(r"https?://([^/:?#\s]+)", reference.lower())
    return host.group(1) if host else ""


def save(model: Model, path: Path) -> None:
    """Write the model as plain arrays (never a pickle): terms joined by newlines, half-precision weights."""
    import numpy as np

    np.savez_compressed(
        path,
        terms=np.frombuffer("\n".join(model.names).encode(), dtype=np.uint8),
        idf=model.idf.astype(np.float16),
        coefficients=model.coefficients.astype(np.float16),
        intercepts=model.intercepts.astype(np.float32),
        temperature=np.float64(model.temperature),
    )


def read(path: Path) -> Model:
    """Read what `save` wrote."""
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        names = stored["terms"].tobytes().decode().split("\n")
        return Model(
            names=tuple(names),
            terms={name: index for index, name in enumerate(names)},
            idf=stored["idf"].astype(np.float32),
            coefficients=stored["coefficients"].astype(np.float32),
            intercepts=stored["intercepts"],
            temperature=float(stored["temperature"]),
        )


@cache
def model() -> Model:
    """The committed model, read once per process."""
    return read(MODEL_FILE)


@cache
def card() -> dict[str, object]:
    """The model card: figures on the held-out split."""
    loaded: dict[str, object] = json.loads(CARD_FILE.read_text())
    return loaded
