"""agents.tools.model_tools: a model elsewhere sees tokens, the tools that it calls see what they stand for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from agents.context import AgentContext
from agents.errors import ToolFailed
from agents.guardrails.screen import Pass
from agents.guardrails.tokens import Tokens
from agents.tools import model_tools
from agents.types import AgentRequest, Json

GIVEN = {"customer": "ann@example.org"}


class Directory:
    """`ctx.tools` of a call, that answers with personal data of its own."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[Any] = []
        self._fails = fails

    async def call(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        self.asked.append(arguments)
        if self._fails:
            raise ToolFailed(tool=name, problem="bob@example.org is unknown")
        return {"manager": "bob@example.org", "of": arguments["email"]}

    @property
    def made(self) -> dict[str, int]:
        return {}

    def go_on_from(self, made: Mapping[str, int]) -> None: ...

    async def available(self) -> list[dict[str, Json]]:
        return []


def called(directory: Directory, going: Pass | None, arguments: dict[str, Json]) -> dict[str, Any]:
    request = AgentRequest("a", 1, GIVEN, key="k", attempt=1, timeout=5, veil=going)
    context = AgentContext(request, tools=directory)
    answer: dict[str, Any] = orjson.loads(asyncio.run(model_tools._call(context, "crm.read", **arguments)))
    return answer


def veiled() -> tuple[Pass, str]:
    going = Pass(tokens=Tokens(dict(GIVEN)))
    sent = going.conceal(dict(GIVEN))
    assert isinstance(sent, dict)
    return going, str(sent["customer"])


def test_a_tool_gets_the_data_and_its_answer_leaves_as_tokens() -> None:
    going, token = veiled()
    assert "ann@" not in token
    directory = Directory()

    answer = called(directory, going, {"email": token})

    assert directory.asked == [{"email": "ann@example.org"}]
    assert answer["of"] == token
    assert "bob" not in orjson.dumps(answer).decode()
    assert going.reveal(answer) == {"manager": "bob@example.org", "of": "ann@example.org"}


def test_a_refusal_leaves_as_tokens_too() -> None:
    going, token = veiled()
    answer = called(Directory(fails=True), going, {"email": token})
    assert answer["error"] == "tool_failed"
    assert "bob@" not in answer["message"]


def test_without_tokens_nothing_is_changed() -> None:
    directory = Directory()
    assert called(directory, None, {"email": "x@example.org"})["manager"] == "bob@example.org"
    assert directory.asked == [{"email": "x@example.org"}]
