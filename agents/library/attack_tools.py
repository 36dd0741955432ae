"""The tool that looks one ATT&CK technique up: what mitigates it and what detects it, as ATT&CK 18.1 says."""

from pydantic import BaseModel, ConfigDict, Field

from agents.library import attack
from agents.tools.registry import tool
from agents.tools.running import ToolContext

LOOK_UP = "attack.technique"


class TechniqueId(BaseModel):
    """Which technique, such as T1190 or T1059.001."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=r"^T\d{4}(\.\d{3})?$")


class Named(BaseModel):
    """A mitigation or a detection strategy, by ATT&CK's id and name."""

    id: str
    name: str


class TechniqueFacts(BaseModel):
    """What ATT&CK says of it; `known` is false, and the rest empty, for an id that ATT&CK does not have."""

    id: str
    known: bool
    name: str = ""
    tactics: list[str] = []
    url: str = ""
    mitigations: list[Named] = []
    detections: list[Named] = []


@tool(
    LOOK_UP,
    title="ATT&CK technique",
    input=TechniqueId,
    output=TechniqueFacts,
    risk="low",
    data_scopes=["threat-intel"],
    timeout=10,
)
def look_up(given: TechniqueId, ctx: ToolContext) -> TechniqueFacts:
    """Looks one technique of MITRE ATT&CK 18.1 up: its tactics, what mitigates it and what detects it."""
    index = attack.index()
    found = index.by_id.get(given.id)
    if found is None:
        return TechniqueFacts(id=given.id, known=False)
    return TechniqueFacts(
        id=found.id,
        known=True,
        name=found.name,
        tactics=list(found.tactics),
        url=found.url,
        mitigations=[Named(id=one.id, name=one.name) for one in index.mitigations.get(found.id, [])],
        detections=[Named(id=one.id, name=one.name) for one in index.detections.get(found.id, [])],
    )
