"""What the tests of definitions share: two agents and a short way to compile a text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

import pytest

from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.load import DefinitionError, load
from orchestrator.definitions.plan import Plan

type Compile = Callable[[str], Plan]
type Refuse = Callable[[str], str]


@dataclass(frozen=True)
class Contract:
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] = field(default_factory=dict)


class Catalogue:
    """Two agents: `reader` has a strict contract, `noop` takes and gives anything."""

    _contracts: Mapping[str, Contract] = {
        "reader": Contract(
            {
                "type": "object",
                "properties": {"text": {"type": "string"}, "limit": {"type": "integer"}},
                "required": ["text"],
            },
            {"type": "object", "properties": {"summary": {"type": "string"}, "score": {"type": "number"}}},
        ),
        "noop": Contract({"type": "object"}, {"type": "object"}),
    }

    def find(self, name: str, version: int | None) -> Contract | None:
        return self._contracts.get(name) if version in {None, 1} else None

    def names(self) -> Sequence[str]:
        return list(self._contracts)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture
def compiled(catalogue: Catalogue) -> Compile:
    """Compile the steps and further groups of a workflow; metadata is added."""

    def run(text: str) -> Plan:
        return compile_plan(load(with_metadata(text), file="demo.yaml"), catalogue=catalogue)

    return run


@pytest.fixture
def refusal(compiled: Compile) -> Refuse:
    """The message with which a workflow is refused."""

    def run(text: str) -> str:
        with pytest.raises(DefinitionError) as caught:
            compiled(text)
        return str(caught.value)

    return run


def with_metadata(text: str) -> str:
    return "metadata: {name: demo, title: Demo}\n" + dedent(text)
