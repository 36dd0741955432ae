"""Reads the templates that are shipped, and finds those that somebody looks for. Pure: files in, facts out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.types import Json

FOLDER: Final = Path(__file__).parent
SHIPPED: Final = FOLDER.parent  # where `workflow` of a template.yaml begins
FEWEST_SAMPLES: Final = 3

type Domain = Literal["security", "content", "business", "legal", "finance", "research", "operations"]
DOMAINS: Final[tuple[str, ...]] = get_args(Domain.__value__)


class TemplateInvalid(Exception):
    """A template breaks the contract; the message names its folder and what is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(_Strict):
    """Where people are asked, whom, and when."""

    gate: str = Field(min_length=1, max_length=100)
    who: str = Field(min_length=1, max_length=100)
    when: str = Field(default="", max_length=300)


class Facts(_Strict):
    """What `template.yaml` says."""

    title: str = Field(min_length=3, max_length=80)
    summary: str = Field(min_length=20, max_length=300, pattern=r"\.$")
    domain: Domain
    patterns: tuple[str, ...] = Field(min_length=1)
    people: tuple[Asked, ...]
    data: str = Field(min_length=20, max_length=500)
    minutes: float | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, ge=0)
    offline: Literal[True]
    workflow: str = ""


class Answer(_Strict):
    """What a person says at one step."""

    verdict: str = ""
    note: str = ""
    edited: dict[str, Any] | None = None


class Arrival(_Strict):
    """A signal that comes from outside while a run waits for it."""

    name: str
    key: str = ""
    data: dict[str, Any] = {}


class Sample(_Strict):
    """One line of `inputs.jsonl`: an input, what people and the world say meanwhile, and how it ends."""

    title: str = Field(min_length=3, max_length=200)
    input: dict[str, Any]
    people: dict[str, Answer] = {}
    signals: tuple[Arrival, ...] = ()
    ends: str = "succeeded"
    outputs: dict[str, Any] = {}

    @property
    def pretty(self) -> str:
        """The input as people read it."""
        return orjson.dumps(self.input, option=orjson.OPT_INDENT_2).decode()


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its workflow's name, what is said of it, its definition, and inputs to try it with."""

    name: str
    facts: Facts
    source: str
    metadata: Mapping[str, Json]
    samples: tuple[Sample, ...]

    @property
    def file(self) -> str:
        """How problems name its definition."""
        return f"{self.name}.yaml"

    @property
    def description(self) -> str:
        """What the definition says of itself."""
        return str(self.metadata.get("description", ""))

    @property
    def words(self) -> str:
        """Everything that a search looks through, in lower case."""
        facts, tags = self.facts, self.metadata.get("tags")
        said = (self.name, facts.title, facts.summary, facts.domain, facts.data, self.description, *facts.patterns)
        return " ".join((*said, *map(str, tags if isinstance(tags, list) else ()))).lower()


def read(folder: Path) -> Template:
    """The template in a folder. Raises TemplateInvalid."""
    try:
        facts = Facts.model_validate(yaml.safe_load((folder / "template.yaml").read_text(encoding="utf-8")))
        where = SHIPPED / facts.workflow if facts.workflow else folder / "workflow.yaml"
        source = where.read_text(encoding="utf-8")
        lines = (folder / "inputs.jsonl").read_text(encoding="utf-8").splitlines()
        samples = tuple(Sample.model_validate_json(line) for line in lines if line.strip())
        metadata = yaml.safe_load(source)["metadata"]
    except (OSError, ValidationError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise TemplateInvalid(f"template {folder.name}: {problem}") from problem
    _check(folder.name, str(metadata.get("name", "")), len(samples))
    return Template(folder.name, facts, source, metadata, samples)


def _check(folder: str, name: str, samples: int) -> None:
    if name != folder:
        raise TemplateInvalid(f"template {folder}: its workflow is named {name!r}; give the folder that name")
    if samples < FEWEST_SAMPLES:
        raise TemplateInvalid(f"template {folder}: {samples} samples; give {FEWEST_SAMPLES} or more")


@cache
def every() -> tuple[Template, ...]:
    """All templates by their title; read once in a process. Raises TemplateInvalid."""
    found = [read(file.parent) for file in FOLDER.glob("*/template.yaml")]
    return tuple(sorted(found, key=lambda template: template.facts.title.lower()))


def find(name: str) -> Template | None:
    """The template that installs the workflow of this name."""
    return next((template for template in every() if template.name == name), None)


def matching(*, domain: str = "", pattern: str = "", text: str = "") -> list[Template]:
    """The templates of a domain, of a pattern, and with all words of a text; what is empty asks for nothing."""
    words = text.lower().split()
    return [
        template
        for template in every()
        if domain in ("", template.facts.domain)
        and (not pattern or pattern in template.facts.patterns)
        and all(word in template.words for word in words)
    ]


def counted_domains(templates: Iterable[Template]) -> list[tuple[str, int]]:
    """Each domain with how many there are of it, in the order of the contract."""
    counts = Counter(template.facts.domain for template in templates)
    return [(domain, counts[domain]) for domain in DOMAINS if counts[domain]]  # type: ignore[index]
