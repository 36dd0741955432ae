"""What the incident-response agents take and give. Every model becomes a JSON Schema contract."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class Evidence(Strict):
    """One claim a reviewer can check: `quote` is verbatim from `source`."""

    claim: str
    source: str
    quote: str = ""
    status: Literal["verified", "unsupported", "computed"] = "computed"


class Alert(Strict):
    """An incident as its source reports it. There is no severity in it."""

    id: str = Field(min_length=1, max_length=100)
    title: str = Field(min_length=1, max_length=300)
    description: str = Field(default="", max_length=20_000)
    affected: str = Field(default="", max_length=500)
    category: str = Field(default="other", max_length=100)
    date: str = Field(default="", max_length=40)
    reference: str = Field(default="", max_length=1000)
    owasp_llm: list[str] = Field(default_factory=list, max_length=20)
    nist_ai_rmf: list[str] = Field(default_factory=list, max_length=60)
    mitre_atlas: list[str] = Field(default_factory=list, max_length=60)


class Intake(Strict):
    """The alert's text without its tracker's boilerplate; offsets of later steps count characters of `text`."""

    alert: Alert
    text: str
    target: str
    boilerplate_removed: bool


class TextInput(Strict):
    """A text to work on."""

    text: str = Field(min_length=1, max_length=25_000)


class Quote(Strict):
    """A verbatim sentence: `text` is characters `start` to `end` of the source."""

    text: str
    start: int
    end: int
    score: float


class Summary(Strict):
    """An extractive summary."""

    summary: str
    sentences: list[Quote]
    key_phrases: list[str]
    evidence: list[Evidence]


class TechniqueMatch(Strict):
    """An ATT&CK technique like the text; `shared` are the words they have in common."""

    id: str
    name: str
    tactics: list[str]
    url: str
    score: float
    shared: list[str]


class Techniques(Strict):
    """Techniques by similarity, best first."""

    techniques: list[TechniqueMatch]
    remark: str


class IndicatorFound(Strict):
    """Something the text names, defanged, with its place."""

    kind: str
    value: str
    start: int
    end: int


class ProductFound(Strict):
    """A product with the version the text ties to it."""

    name: str
    version: str
    quote: str


class Indicators(Strict):
    """Ids, indicators of compromise and products."""

    indicators: list[IndicatorFound]
    products: list[ProductFound]


class SeverityInput(TextInput):
    """What the assessor may know."""

    reference: str = ""
    category: str = "other"


class Severity(Strict):
    """The likeliest level. `confidence` is its calibrated probability; `critical` that of critical harm."""

    level: Literal["low", "medium", "high", "critical"]
    confidence: float = Field(ge=0, le=1)
    critical: float = Field(ge=0, le=1)
    probabilities: dict[str, float]
    reasons: list[str]
    in_words: str
    evidence: list[Evidence]


class TechniqueIn(BaseModel):
    """A technique of the enrichment step."""

    id: str
    name: str
    score: float


class RemediationInput(Strict):
    """What the recommender works from."""

    techniques: list[TechniqueIn]
    target: str
    critical: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1, description="Of the severity that the plan rests on.")
    evidence: list[Evidence] = Field(default_factory=list)


class ActionOut(Strict):
    """A proposed action with canonical arguments."""

    kind: Literal["containment", "hardening", "monitoring"]
    action: str
    title: str
    arguments: dict[str, str]
    reversible: bool
    basis: list[str]
    score: float
    url: str


class Alternative(Strict):
    """An action left out, with its projected cost and benefit."""

    option: str
    cost: str
    impact: str
    success: str
    note: str


class Remediation(Strict):
    """The proposal: actions in order, what was left out, and what the reviewer's note changed."""

    actions: list[ActionOut]
    containment: bool
    confidence: float = Field(ge=0, le=1, description="Of the severity that the plan rests on.")
    in_words: str
    changes: list[str]
    alternatives: list[Alternative]
    evidence: list[Evidence]


class ReportInput(Strict):
    """What the reporter puts together."""

    alert: Alert
    text: str
    route: str
    severity: Severity
    summary: Summary
    techniques: Techniques
    indicators: Indicators
    remediation: Remediation
    note: str = ""


class Report(Strict):
    """The report, its file name, and how well its statements are founded."""

    file_name: str
    markdown: str
    frameworks: list[str]
    statements: int
    unsupported: int
    evidence: list[Evidence]
