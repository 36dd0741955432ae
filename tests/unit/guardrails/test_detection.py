"""Detectors, masks, tokens and secrets: found by checksum, masked once and for all, put back exactly."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.guardrails import credentials, detectors, masking
from agents.guardrails.masking import Report, mask_tags, mask_text
from agents.guardrails.tokens import Tokens

EVERY = frozenset({"pii", "pci", "phi"})
SAMPLES = [
    ("email", "jane.doe+x@mail.example.co.uk"),
    ("phone", "+49 30 1234567"),
    ("phone", "(415) 555-2671"),
    ("ssn", "123-45-6789"),
    ("card", "4111 1111 1111 1111"),
    ("card", "378282246310005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
]
NAMED = [
    ("nhs_number", "NHS number: 943 476 5919", "943 476 5919"),
    ("record", "MRN: 8837-221", "8837-221"),
    ("diagnosis", "ICD-10: E11.9", "E11.9"),
    ("birth_date", "born on 1980-02-29", "1980-02-29"),
]
HARMLESS = [
    "4111 1111 1111 1112",
    "DE88 3704 0044 0532 0130 00",
    "000-12-3456",
    "2026-11-28 19:31:51.123456",
    "run 1234567890, task 998877",
    "10.0.0.1:8080",
    "user@localhost",
    "d41d8cd98f00b204e9800998ecf8427e",
    "1234567890123456789012345",
]
# Text around and between data that cannot become part of it.
plain = st.text(alphabet="xyz ,;äß\n", max_size=12).map(lambda text: f" {text} ")
tagged = st.sampled_from([text for _kind, text in SAMPLES])
texts = st.lists(plain | tagged, max_size=8).map(" ; ".join)  # two numbers that touch are one to anybody
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(("kind", "text"), SAMPLES)
def test_each_kind_is_found_exactly(kind: str, text: str) -> None:
    (span,) = detectors.find(f"Write to {text}, please")
    assert (span.kind, span.start, span.end) == (kind, 9, 9 + len(text))


@pytest.mark.parametrize(("kind", "text", "data"), NAMED)
def test_what_only_its_name_tells_is_found(kind: str, text: str, data: str) -> None:
    (span,) = detectors.find(text)
    assert (span.kind, text[span.start : span.end]) == (kind, data)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert detectors.find(f"see {text} there") == []


@settings(max_examples=200, deadline=None)
@given(values)
def test_masking_twice_is_masking_once_and_leaves_nothing(value: object) -> None:
    once = mask_tags(value, EVERY, Report(), "test")
    report = Report()
    assert mask_tags(once, EVERY, report, "test") == once
    assert report.masked == []


@settings(max_examples=200, deadline=None)
@given(values)
def test_tokens_are_reversible_and_hide_everything(value: object) -> None:
    tokens, report = Tokens(value), Report()  # type: ignore[arg-type]
    hidden = tokens.hide(value, report)  # type: ignore[arg-type]
    sent = str(hidden)
    assert not any(original in sent for original in tokens.originals.values())
    assert tokens.restore(hidden) == value


def test_equal_data_gets_one_token_and_a_model_may_change_its_case() -> None:
    value = {"a": "from a@b.example to c@d.example", "b": "a@b.example, card 4111111111111111"}
    tokens = Tokens(value)  # type: ignore[arg-type]
    hidden = tokens.hide(value, Report())  # type: ignore[arg-type]
    assert isinstance(hidden, dict)
    assert str(hidden["a"]).split()[1] == str(hidden["b"]).split(",")[0]
    assert tokens.restore(str(hidden["b"]).upper()) == "a@b.example, CARD 4111111111111111"


def test_a_planted_token_gives_nobodys_data_away() -> None:
    value = {"planted": "[CARD_1_000000] [CARD_1] email-1-abcdef@masked.invalid", "real": "4111111111111111"}
    tokens = Tokens(value)  # type: ignore[arg-type]
    tokens.hide(value, Report())  # type: ignore[arg-type]
    assert tokens.restore("[CARD_1_000000] and [CARD_1]") == "[CARD_1_000000] and [CARD_1]"


def test_a_report_holds_places_and_kinds_and_never_data() -> None:
    report = Report()
    mask_tags({"jane@example.com": ["card 4111111111111111"] * 60}, EVERY, report, "why")
    facts = report.facts()
    assert facts["more"] == 60 - masking.MOST
    assert "4111" not in str(facts)
    assert "jane" not in str(facts)
    assert facts["masked"][0] | {"at": ""} == {  # type: ignore[index, operator]
        "at": "", "kind": "card", "tag": "pci", "from": 5, "to": 21, "why": "why",
    }  # fmt: skip


SECRETS = [
    ("AKIAIOSFODNN7EXAMPLE", "AWS Access Key"),
    ("ghp_" + "a1B2" * 9, "GitHub Token"),
    ("github_pat_" + "a1B2c3D4" * 4, "GitHub token"),
    ("sk-ant-api03-" + "Ab3_" * 8, "model provider key"),
    ("xoxb-123456789012-abcdefabcdef", "Slack Token"),
    ("eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl", "JSON web token"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "private key"),
]


@pytest.mark.parametrize(("secret", "kind"), SECRETS)
def test_each_secret_is_found_whole(secret: str, kind: str) -> None:
    text = f"use {secret} for it"
    (found,) = [one for one in credentials.find(text) if one.is_sure]
    assert (found.kind, text[found.start : found.end]) == (kind, secret)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgres://app:hunter2@db/x", "hunter2"),
        ("password: correct-horse-battery", "correct-horse-battery"),
        ('{"api_key": "0123456789abcdef0123"}', "0123456789abcdef0123"),
    ],
)
def test_a_secret_told_by_its_surroundings_is_found(text: str, secret: str) -> None:
    (found,) = credentials.find(text)
    assert text[found.start : found.end] == secret


@pytest.mark.parametrize(
    "text",
    [
        "sha256 " + "ab12" * 16,
        "550e8400-e29b-41d4-a716-446655440000",
        "https://example.com/some/long/path/of/things.html?page=2",
        "The password must have twelve characters; the token: ask for one.",
        "orchestrator.engine.shift.Shift._turn_after_doubt",
    ],
)
def test_hashes_ids_and_addresses_are_no_secrets(text: str) -> None:
    assert credentials.find(text) == []


def test_random_text_is_found_but_not_sure() -> None:
    (found,) = credentials.find("value wJalrXUtnFEMIxK7MDENGxbPxRfiCYzEXAMPLEKEY9 end")
    assert not found.is_sure


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "1" * 200_000, "a@" * 100_000, "1-" * 100_000, "://x:" * 40_000, "A1 " * 60_000]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    began = time.perf_counter()
    detectors.find(text)
    credentials.find(text)
    assert time.perf_counter() - began < 5


def test_mask_text_replaces_only_the_spans() -> None:
    text = "mail jane@example.com now"
    assert mask_text(text, detectors.find(text)) == "mail [email address hidden] now"
