"""Which agents use a prompt, and the prompt version that an agent's reference means."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from agents.models import AgentVersion, Prompt, PromptVersion
from agents.prompts.errors import PromptUnknown
from agents.prompts.variables import Variable, declared, render
from agents.types import Json

FRESH_SECONDS: Final = 1.0  # a newly published version is used by every process within this
MOST_KNOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Published:
    """A published version, ready to be rendered; `ref` is name@number."""

    ref: str
    template: str
    variables: tuple[Variable, ...]

    def render(self, values: Mapping[str, Json]) -> str:
        """The prompt for these values. Raises PromptInvalid."""
        return render(self.template, self.variables, values)


_known: dict[str, tuple[float, Published]] = {}
_reading = threading.Lock()


def published(ref: str) -> Published:
    """The version that `name@number`, or `name` for the newest, means. PromptUnknown if it is not published.

    A pinned version is remembered for good, the newest for a second.
    """
    known = _known.get(ref)
    if known is not None and ("@" in ref or monotonic() - known[0] < FRESH_SECONDS):
        return known[1]
    found = _read(ref)
    with _reading:
        _known[ref] = (monotonic(), found)
        while len(_known) > MOST_KNOWN:
            del _known[next(iter(_known))]
    return found


def forget() -> None:
    """Forget what was read: it was of another database."""
    _known.clear()


def _read(ref: str) -> Published:
    name, _, number = ref.partition("@")
    found = PromptVersion.objects.filter(prompt__name=name, status=PromptVersion.Status.PUBLISHED)
    if number:
        found = found.filter(number=int(number)) if number.isdecimal() and len(number) < 9 else found.none()
    version = found.select_related("prompt").order_by("-number").first()
    if version is None:
        raise PromptUnknown(ref=ref)
    return Published(str(version), version.template, tuple(declared(version.variables)))


def used_by(prompt: Prompt) -> list[tuple[AgentVersion, str]]:
    """The newest version of each agent that names this prompt, with its reference: exact, from their configurations."""
    named = AgentVersion.objects.filter(config__has_key="prompt_ref").select_related("agent")
    newest: dict[int, AgentVersion] = {}
    for version in named.order_by("agent_id", "number"):
        newest[version.agent_id] = version
    found = [(version, str(version.config["prompt_ref"])) for version in newest.values()]
    return [(version, ref) for version, ref in found if ref.partition("@")[0] == prompt.name]


def contract_problem(version: PromptVersion) -> str:
    """Which agent could not fill this version, in words; empty if all can. Pinned agents keep their version."""
    required = {variable.name for variable in declared(version.variables) if variable.required}
    for agent_version, ref in used_by(version.prompt):
        missing = required - set(agent_version.input_schema.get("properties", {}))
        if "@" not in ref and missing:
            lacks = ", ".join(sorted(missing))
            return f"{agent_version.agent.name} uses its newest version and its input has no {lacks}"
    return ""
