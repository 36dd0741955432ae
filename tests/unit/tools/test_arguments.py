"""Arguments have one form: what smuggles something past a policy is refused, and what is the same has one seal."""

from typing import Any

import pytest
from pydantic import BaseModel

from agents.contracts import compile_contract
from agents.errors import SecretRefused, ToolArgumentsInvalid
from agents.tools import secrets
from agents.tools.arguments import chosen_scopes, normal, seal
from agents.tools.specs import build_tool, close

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "to": {"type": "string"},
        "more": {"type": "object", "properties": {}},
    },
}
CONTRACT = compile_contract(close(SCHEMA))


@pytest.mark.parametrize(
    "given",
    [
        '{"amount": 1, "amount": 100000}',
        '{"amount": NaN}',
        '{"amount": 1e999}',
        '{"amount": 99999999999999999999999}',
        {"amount": 1, "\uff41mount": 5},
        {"amount": 1, "amount ": 5},
        {"more": {"hidden": 1}},
        {"to": "ann\x00bob"},
        {"to": "ann\ud800"},
        {"amount": float("inf")},
        {"amount": True},
        [1],
        "[]",
        "nonsense",
        '{"amount": 1} {"amount": 2}',
        {"to": {"$ref": "x"}},
        {1: 2},
    ],
)
def test_smuggled_arguments_are_refused(given: Any) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        normal("pay", given, CONTRACT)


def test_deep_and_large_arguments_are_refused() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"more": deep}
    for given in (deep, {"to": "x" * 2_000_000}):
        with pytest.raises(ToolArgumentsInvalid):
            normal("pay", given, compile_contract({"type": "object"}))


def test_the_copy_shares_nothing_with_what_the_agent_holds() -> None:
    given = {"to": "ann", "more": {}}
    copy = normal("pay", given, CONTRACT)
    given["to"] = "mallory"

    assert copy["to"] == "ann"


def test_one_number_has_one_seal_and_other_characters_have_another() -> None:
    assert seal({"a": 50.0, "b": 1}) == seal({"b": 1.0, "a": 50})
    assert seal({"a": 50.1}) != seal({"a": 50})
    assert seal({"to": "caf\u00e9"}) != seal({"to": "cafe\u0301"})
    assert seal({"a": {"b": 1}}) != seal({"a": 1, "b": 1})
    assert seal("1") != seal(1)


def test_models_are_closed_to_fields_that_they_do_not_name() -> None:
    class Inner(BaseModel):
        x: int

    class Outer(BaseModel):
        inner: Inner

    spec = build_tool("t", lambda given, ctx: {}, takes=Outer, gives={"type": "object"}, facts={})
    with pytest.raises(ToolArgumentsInvalid):
        normal("t", {"inner": {"x": 1, "y": 2}}, spec.input)


@pytest.mark.parametrize("asked", ["payroll", ["payroll"], ["money", "payroll"], [5], "money"])
def test_scopes_beyond_the_tools_own_are_refused(asked: Any) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        chosen_scopes("pay", asked, frozenset({"money", "people"}))
    assert chosen_scopes("pay", None, frozenset({"money", "people"})) == ("money", "people")
    assert chosen_scopes("pay", ["money"], frozenset({"money", "people"})) == ("money",)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.forget()
    monkeypatch.setenv("SECRET_API_KEY", "canary-5up3r+/s3cret==")


def test_a_secret_is_resolved_for_a_tool_that_declares_it_only(secret: None) -> None:
    given = {"key": "secret://API_KEY", "text": "see secret://API_KEY"}
    resolved = secrets.resolve("t", given, frozenset({"API_KEY"}))

    assert resolved == {"key": "canary-5up3r+/s3cret==", "text": "see secret://API_KEY"}
    assert secrets.references(given) == {"API_KEY"}
    for name in ("API_KEY", "DATABASE_URL", "../API_KEY", ""):
        with pytest.raises(SecretRefused):
            secrets.check("t", {name}, frozenset({"OTHER"}))


def test_a_secret_comes_from_a_file_too(secret: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "FILE_KEY").write_text("canary-from-a-file\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))

    assert secrets.reveal("t", "FILE_KEY", frozenset({"FILE_KEY"})) == "canary-from-a-file"
    with pytest.raises(SecretRefused):
        secrets.reveal("t", "NOT_THERE", frozenset({"NOT_THERE"}))


def test_every_form_of_a_resolved_secret_is_masked(secret: None) -> None:
    import base64
    from urllib.parse import quote

    value = secrets.reveal("t", "API_KEY", frozenset({"API_KEY"}))
    forms = [value, quote(value, safe=""), base64.b64encode(value.encode()).decode(), value.encode().hex(), value[::-1]]
    masked = secrets.mask_json({"a": forms, f"k{value}": 1})

    assert "canary" not in str(masked)
    assert value[::-1] not in str(masked)
    assert "secret://API_KEY" in masked["a"][0]
