"""What WATCHKEEPER_LLM may say."""

import pytest

from config.datadir import NeedsAttention
from config.language_model import LanguageModel, chosen_model


def test_chosen_model_without_the_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHKEEPER_LLM", raising=False)

    assert chosen_model() is None


def test_chosen_model_elsewhere_is_served_by_nobody_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_LLM", "qwen3:8b@https://models.example/v1")

    assert chosen_model() == LanguageModel("qwen3:8b@https://models.example/v1")


def test_chosen_model_local_names_the_port_that_its_server_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_LLM", "local")

    model = chosen_model()

    assert model is not None
    port = model.command[model.command.index("--port") + 1]
    assert model.address == f"smollm2@http://127.0.0.1:{port}/v1"


@pytest.mark.parametrize(
    "value", ["1", "smollm2", "@http://h/v1", "m@h:8080", "m@http://", "http://h/v1", "m@https://me:secret@h"]
)
def test_chosen_model_that_is_none_is_refused_with_an_example(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_LLM", value)

    with pytest.raises(NeedsAttention, match=r"names no model; write local, or .*@http://"):
        chosen_model()
