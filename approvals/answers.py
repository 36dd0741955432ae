"""What a person gives back in place of a proposal: cleaned, and held to the contract the next step relies on."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.translation import gettext, gettext_lazy

from agents import cleaning, contracts
from agents.errors import ContractViolation, InvalidContract, OutputRejected
from agents.models import AgentVersion
from agents.types import Json
from approvals import policy
from approvals.errors import ChecklistIncomplete, InvalidAnswer
from approvals.feedback.appraising import Given
from approvals.models import Gate, GateKind
from orchestrator.ports import terms_from_json

EVERYTHING = gettext_lazy("(the whole answer)")
_WITH_FORM = (GateKind.MANUAL, GateKind.HYBRID, GateKind.DEADLINE, GateKind.TOOL, GateKind.REQUEST)


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer to a gate, as it came through the door, or what several of them add up to."""

    verdict: str
    gate_version: int
    note: str
    edited: dict[str, Json] | None
    via: str
    key: str | None
    checked: tuple[str, ...] = ()
    appraisal: Given = field(default_factory=Given)


def clean(edited: dict[str, Json] | None) -> dict[str, Json] | None:
    """A storable copy of what was typed; InvalidAnswer when it cannot be stored."""
    if edited is None:
        return None
    try:
        value = cleaning.clean(edited).value
    except OutputRejected as error:
        raise InvalidAnswer(path=str(EVERYTHING), problem=str(error)) from error
    if not isinstance(value, dict):
        raise InvalidAnswer(path=str(EVERYTHING), problem=gettext("it must be an object with named fields"))
    return value


def check(gate: Gate, verdict: str, edited: dict[str, Json] | None) -> None:
    """Refuse an answer where none belongs, a missing one where one does, and one that breaks the contract."""
    if not policy.carries_answer(verdict):
        if edited is not None:
            raise InvalidAnswer(
                path=str(EVERYTHING),
                problem=gettext("the verdict %(verdict)s takes none; choose Edit to change it")
                % {"verdict": f"{verdict!r}"},
            )
        return
    if edited is None:
        raise InvalidAnswer(
            path=str(EVERYTHING), problem=gettext("the verdict %(verdict)s needs one") % {"verdict": f"{verdict!r}"}
        )
    if verdict == "choose":
        if policy.outcome(verdict, edited) == "returned":
            return
        edited = chosen(edited)["output"]
    try:
        contracts.compile_contract(schema_of(gate)).check(edited)
    except ContractViolation as error:
        raise InvalidAnswer(**error.facts) from error
    except InvalidContract as error:
        raise InvalidAnswer(
            path=str(EVERYTHING), problem=gettext("the contract itself is broken: %(error)s") % {"error": error}
        ) from error


def choice(gate: Gate, at: int) -> dict[str, Json]:
    """The answer of the verdict `choose`: the gate's alternative at this place, as it is sealed. InvalidAnswer."""
    options = gate.subject["alternatives"]
    if not 0 <= at < len(options):
        raise InvalidAnswer(path="alternative", problem=f"there are {len(options)}, counted from 0")
    if not how(gate, options[at]):
        raise InvalidAnswer(path="alternative", problem="this gate cannot be decided by choosing it")
    return {"alternative": at, "option": options[at]}


def how(gate: Gate, option: dict[str, Json]) -> str:
    """What choosing an alternative does: `output`, the run goes on with it; `back`, its agent does it; else nothing."""
    if gate.kind != GateKind.APPROVAL:
        return ""
    if isinstance(option.get("output"), dict):
        return "output" if "approve" in gate.allowed else ""
    return "back" if "request_changes" in gate.allowed else ""


def chosen(answer: Json) -> dict[str, dict[str, Json]]:
    """The alternative in an answer."""
    assert isinstance(answer, dict)
    option: Any = answer["option"]
    assert isinstance(option, dict)
    return option


def instruction(answer: Json, note: str) -> str:
    """What the agent is told that is to do what was chosen: the alternative as it is stored, and a person's note."""
    option = {name: value for name, value in chosen(answer).items() if name != "output"}
    said = "; ".join(f"{name}: {_plain(value)}" for name, value in option.items())
    return f"Do this alternative instead of what you proposed. {said[:4000]}" + (f"\n{note}" if note else "")


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def check_ticks(gate: Gate, verdict: str, checked: tuple[str, ...]) -> None:
    """Refuse an approval while a point of the gate's list is not ticked, and ticks at points that it does not have."""
    points = terms_from_json(gate.subject.get("terms") or {}).checklist
    if strange := [point for point in checked if point not in points]:
        raise ChecklistIncomplete(what=gettext("%(value)s is not on the list") % {"value": f"{strange[0][:100]!r}"})
    if policy.OUTCOME.get(verdict) != "approved":
        return
    if missing := [point for point in points if point not in checked]:
        raise ChecklistIncomplete(what="not ticked: " + "; ".join(point[:100] for point in missing[:5]))


def schema_of(gate: Gate) -> dict[str, Json]:
    """The JSON Schema of the gate's answer: a person's form, or the contract of the agent under review."""
    if gate.kind in _WITH_FORM or not gate.agent:
        form: dict[str, Json] = gate.subject.get("form") or {}
        return form or {"type": "object"}
    versions = AgentVersion.objects.filter(agent__name=gate.agent).order_by("-number")
    if gate.agent_version is not None:
        versions = versions.filter(number=gate.agent_version)
    schema: dict[str, Json] | None = versions.values_list("output_schema", flat=True).first()
    return schema or {"type": "object"}
