"""How a language model is to write, and which model does: an agent's `profile` and `routing`. No Django.

A value of the profile is said as it stands, or `{field}` takes it from the call's input, so that one agent writes in
another tone, for another reader or channel, each time.
"""

from collections.abc import Mapping
from typing import Final, TypedDict

from agents.errors import InvalidRegistration
from agents.prompts.fields import PromptTemplate
from agents.types import Json

LONGEST: Final = 100  # characters of one value as it is put into a prompt


class Profile(TypedDict, total=False):
    """Each is a text, or `{field}` of the input."""

    tone: str  # friendly, formal, ...
    reading_level: str  # age 12, plain language, expert, ...
    channel: str  # email, sms, chat, letter, voice, or any other


_WORDS: Final = {
    "tone": "Write in this tone: {}.",
    "reading_level": "Write for readers of this level: {}.",
    "channel": "The text is for this channel: {}.",
}
_CHANNELS: Final = {
    "sms": "At most 160 characters, plain text, no links but those given.",
    "chat": "Short sentences, no salutation, no signature.",
    "email": "A salutation, short paragraphs, a closing line.",
    "letter": "Full sentences and a formal salutation and close.",
    "voice": "It will be read aloud: no markup, no abbreviations, numbers as words.",
}


class Voice:
    """A checked profile. Raises InvalidRegistration for what no profile or input field is."""

    def __init__(self, agent: str, profile: Profile, fields: Mapping[str, Json]) -> None:
        if unknown := set(profile) - set(_WORDS):
            problem = f"its profile names {', '.join(sorted(unknown))}; it may have {', '.join(_WORDS)}"
            raise InvalidRegistration(name=agent, problem=problem)
        self._values = {name: PromptTemplate(str(value)) for name, value in profile.items()}
        used = {name for value in self._values.values() for name in value.variables}
        if missing := used - set(fields):
            problem = f"its profile uses {', '.join(sorted(missing))}, which its input contract does not declare"
            raise InvalidRegistration(name=agent, problem=problem)

    def applied(self, text: str, given: Mapping[str, Json]) -> str:
        """The prompt with how to write before it; as it is where nothing is asked."""
        said = [words for name, value in self._values.items() if (words := _line(name, value.fill(given)))]
        return "\n".join([*said, "", text]) if said else text


def _line(name: str, value: str) -> str:
    plain = " ".join(value.split())[:LONGEST]
    rule = _CHANNELS.get(plain.lower(), "") if name == "channel" else ""
    return f"{_WORDS[name].format(plain)} {rule}".rstrip() if plain else ""


def check_routing(agent: str, routing: Mapping[str, Mapping[str, str]], fields: Mapping[str, Json]) -> None:
    """Raise InvalidRegistration unless it names one field of the input."""
    if len(routing) != 1 or not set(routing) <= set(fields):
        problem = "its routing must name one field of its input: {'audience': {'customers': '<model>'}}"
        raise InvalidRegistration(name=agent, problem=problem)


def routed(model: str, routing: Mapping[str, Mapping[str, str]], given: Mapping[str, Json]) -> str:
    """The model for this input; the agent's own where routing says nothing."""
    for field, models in routing.items():
        return models.get(str(given.get(field, "")), model)
    return model
