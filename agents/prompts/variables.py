"""The variables that a prompt version declares: name, type, whether they are required, and a sample. No Django."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agents.prompts.errors import PromptInvalid
from agents.prompts.templates import compiled
from agents.types import Json

MAX_VARIABLES: Final = 50
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Variable(BaseModel):
    """One declared variable. `sample` is what tests and the test button render with."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    type: Literal["string", "number", "integer", "boolean", "array", "object"] = "string"
    required: bool = True
    sample: Any = None


_LIST: Final = TypeAdapter(list[Variable])


def declared(raw: object) -> list[Variable]:
    """The variables of a stored or submitted list. PromptInvalid names the first that is wrong."""
    try:
        found = _LIST.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PromptInvalid(problem=f"variable {place}: {first['msg']}", field="variables") from None
    names = [variable.name for variable in found]
    if len(names) > MAX_VARIABLES or len(set(names)) != len(names):
        raise PromptInvalid(
            problem=gettext("its names must be %(max_variables)s at most and all different")
            % {"max_variables": MAX_VARIABLES},
            field="variables",
        )
    return found


def check(template: str, variables: Sequence[Variable]) -> None:
    """Raise PromptInvalid unless the template uses declared variables only and renders with their samples."""
    names = {variable.name for variable in variables}
    if unknown := compiled(template).names - names:
        raise PromptInvalid(
            problem=gettext("it uses %(value)s without declaring it") % {"value": ", ".join(sorted(unknown))},
            field="variables",
        )
    render(template, variables, {variable.name: cast("Json", variable.sample) for variable in variables})


def render(template: str, variables: Sequence[Variable], values: Mapping[str, Json]) -> str:
    """The prompt for these values: required ones must be there with their type, optional ones are null if absent."""
    given: dict[str, Json] = {}
    for variable in variables:
        value = values.get(variable.name)
        if value is None and variable.required:
            raise PromptInvalid(
                problem=gettext("%(name)s is required and has no value") % {"name": variable.name},
                field=gettext("values or sample"),
            )
        if value is not None and not _fits(value, variable.type):
            raise PromptInvalid(
                problem=gettext("%(name)s is not of type %(type)s") % {"name": variable.name, "type": variable.type},
                field=gettext("values or sample"),
            )
        given[variable.name] = value
    return compiled(template).render(given)


def _fits(value: object, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
