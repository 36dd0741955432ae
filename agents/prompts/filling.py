"""What makes a call's prompt of its input: the agent's own text or a reviewed prompt, after how it is to be written."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from django.db import connections

from agents.errors import InvalidRegistration, Permanent
from agents.prompts import uses
from agents.prompts.errors import PromptError
from agents.prompts.fields import PromptTemplate
from agents.types import Json
from agents.voice import Profile, Voice

type Fill = Callable[[Mapping[str, Json]], Awaitable[tuple[str, str]]]  # input -> prompt, and which version it is


def filling(
    agent: str, fields: Mapping[str, Json], *, prompt: str | None, ref: str | None, profile: Profile | None
) -> Fill:
    """For an agent whose input has these fields: of `prompt` or of the published prompt `ref`, one of the two.

    Raises InvalidRegistration.
    """
    if (prompt is None) == (ref is None):
        raise InvalidRegistration(name=agent, problem="it must have either a prompt or a prompt_ref")
    speaks = Voice(agent, profile or {}, fields)
    filled = _from_registry(ref) if ref is not None else _own(agent, prompt or "", fields)

    async def fill(value: Mapping[str, Json]) -> tuple[str, str]:
        text, version = await filled(value)
        return speaks.applied(text, value), version

    return fill


def _own(agent: str, prompt: str, fields: Mapping[str, Json]) -> Fill:
    template = PromptTemplate(prompt)
    if unknown := template.variables - set(fields):
        problem = f"its prompt uses {', '.join(sorted(unknown))}, which its input contract does not declare"
        raise InvalidRegistration(name=agent, problem=problem)

    async def fill(value: Mapping[str, Json]) -> tuple[str, str]:
        return template.fill(value), ""

    return fill


def _from_registry(ref: str) -> Fill:
    async def fill(value: Mapping[str, Json]) -> tuple[str, str]:
        try:
            return await asyncio.to_thread(_rendered, ref, value)
        except PromptError as refusal:
            raise Permanent(str(refusal), code=refusal.code) from refusal

    return fill


def _rendered(ref: str, value: Mapping[str, Json]) -> tuple[str, str]:
    try:
        found = uses.published(ref)
        return found.render(value), found.ref
    finally:
        connections.close_all()  # this thread is nobody's: nothing else would close it
