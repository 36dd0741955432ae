"""WATCHKEEPER_LLM: the language model that words summaries, and the server of the one that runs on this machine."""

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from agents import local_llm
from config.datadir import NeedsAttention

VARIABLE: Final = "WATCHKEEPER_LLM"


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """`address` is `<model>@<base URL>`; `command` serves it, or is empty if somebody else does."""

    address: str
    command: tuple[str, ...] = ()


def chosen_model() -> LanguageModel | None:
    """What WATCHKEEPER_LLM names: nothing, `local`, or a model and the base URL of its OpenAI-compatible server."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return None
    if value == "local":
        port = local_llm.free_port()
        # One thread: a summary may take its time, the other agents on these cores may not.
        return LanguageModel(f"smollm2@http://127.0.0.1:{port}/v1", tuple(local_llm.command_line(port, threads=1)))
    name, _, url = value.partition("@")
    # A password in the address would be shown and kept in places where a key is not.
    if not name or "@" in url or urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise NeedsAttention(
            f"{VARIABLE}={value!r} names no model; write local, or a model and its server: gpt-oss@http://10.0.0.5:8080/v1."
        )
    return LanguageModel(value)
