"""Sealed values at rest: keys and their rotation, who sees them, and the pages and API around that."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from agents.errors import RevealRefused, RuleInvalid, SealBroken
from agents.guardrails import access, keyring, sealing, violations
from agents.guardrails.access import Rule, Viewer
from agents.guardrails.violations import Seen
from agents.memory import store
from agents.memory.store import Scope
from agents.models import Agent, Consent, DataRule, MemoryItem
from orchestrator import rendering
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db

AUDITOR = Viewer("ann", ("Auditor",))
PII = frozenset({"pii"})


def seal(value: Any = "123-45-6789", tags: frozenset[str] = PII) -> str:
    return sealing.seal(value, tags, agent="scribe", place="customer.ssn")


def rule(condition: str, *tags: str, name: str = "r") -> DataRule:
    return access.set_rule(Rule(name, tags or ("pii",), condition), by="adm", reason="policy 7")


def test_the_key_file_is_its_owners_alone_and_made_once(data_folder: Path) -> None:
    first = keyring.keys()
    assert keyring.keys() == first
    assert (data_folder / keyring.FILE).stat().st_mode & 0o777 == 0o600


def test_sealed_values_hold_types_and_tags_and_no_plain_text() -> None:
    for value in ("x" * 5000, 3, 1.5, None, True, {"a": [1]}, "ünï"):
        sealed = seal(value, frozenset({"pii", "phi"}))
        assert sealing.open_sealed(sealed).value == value
        assert sealing.tags_of(sealed) == {"pii", "phi"}
        assert sealing.seal(sealed, PII, agent="", place="") == sealed
    with pytest.raises(SealBroken):
        sealing.open_sealed(f"{seal()[:-6]}AAAA==")


def test_rotation_seals_memory_anew_and_still_opens_what_is_older() -> None:
    from agents.guardrails import consent
    from agents.guardrails.consent import Statement

    Agent.objects.create(name="scribe", title="Scribe")
    consent.state(Statement("c-7", consent.MEMORY, True, "jane", "form"))
    store.remember(Scope("scribe", 1, "flow"), {"text": "mail jane@example.com", "layer": "long", "subject": "c-7"})
    before, old, told = MemoryItem.objects.get().text, seal(), StringIO()
    call_command("rotate_keys", stdout=told)
    assert "there are 2" in told.getvalue()
    assert "1 memories are sealed" in told.getvalue()
    after = MemoryItem.objects.get().text
    assert after != before
    newest = keyring.keys()[0]
    from cryptography.fernet import Fernet

    assert Fernet(newest).decrypt(after.rpartition(":")[2].encode())
    assert sealing.open_sealed(old).value == "123-45-6789"
    assert store.recall(Scope("scribe", 1, "flow", sees=PII), {"subject": "c-7"}), (
        "the pseudonym must outlive a rotation"
    )


def test_nobody_sees_sealed_data_without_a_rule_and_the_event_never_holds_it() -> None:
    sealed = seal()
    with pytest.raises(RevealRefused, match="no rule lets ann see PII"):
        access.reveal(sealed, AUDITOR, purpose="complaint", reason="case 12")
    rule('"Auditor" in roles && purpose == "complaint"')
    assert access.reveal(sealed, AUDITOR, purpose="complaint", reason="case 12").value == "123-45-6789"
    for viewer, purpose in ((AUDITOR, "curiosity"), (Viewer("bob", ()), "complaint")):
        with pytest.raises(RevealRefused):
            access.reveal(sealed, viewer, purpose=purpose, reason="case 12")
    with pytest.raises(RevealRefused, match="say for what purpose"):
        access.reveal(sealed, AUDITOR, purpose="complaint", reason=" ")
    (event,) = Event.objects.filter(kind="data.revealed")
    assert event.data["field"] == "customer.ssn"
    assert "123-45" not in str(event.data)


def test_every_tag_needs_its_rule() -> None:
    rule("true", "pii")
    with pytest.raises(RevealRefused, match="see PHI"):
        access.reveal(seal(tags=frozenset({"pii", "phi"})), AUDITOR, purpose="p", reason="r")


@pytest.mark.parametrize(
    ("condition", "tags"),
    [
        ("", ("pii",)),
        ("user ==", ("pii",)),
        ("password == 'x'", ("pii",)),
        ("[1,2,3].map(x, x) == [1]", ("pii",)),
        ("1+" * 300 + "1 == 1", ("pii",)),
        ("true", ()),
        ("true", ("secret",)),
    ],
)
def test_a_rule_that_could_not_be_trusted_is_refused(condition: str, tags: tuple[str, ...]) -> None:
    with pytest.raises(RuleInvalid):
        access.check(Rule("r", tags, condition))


def test_a_rule_that_fails_at_run_time_lets_nobody_see() -> None:
    rule("roles[7] == 'x'")
    with pytest.raises(RevealRefused):
        access.reveal(seal(), AUDITOR, purpose="p", reason="r")


def test_pages_show_a_lock_and_a_way_to_ask_and_never_the_value() -> None:
    sealed = seal()
    shown = rendering.reveal(f"ssn: {sealed}")
    assert "PII sealed</a>" in shown
    assert "/agents/guardrails/reveal/?sealed=wk-sealed%3Apii%3A" in shown
    assert rendering.plain(sealed) == "[PII hidden]"
    assert "sealed:" not in rendering.reveal("\u27e6sealed:pii:AAAA\u27e7").replace("sealed:pii", "", 1)
    hostile = rendering.markdown(f'[x](https://a.example/?{sealed}" onclick=alert(1)) and {sealed}')
    assert "onclick=alert" not in hostile.replace("%22", "").replace("&quot;", "") or 'onclick="' not in hostile


def test_a_person_reveals_by_the_page_and_the_api(client: Client) -> None:
    ann = people.person("ann", "Auditor")
    client.force_login(ann)
    sealed = seal()
    given = {"sealed": sealed, "purpose": "complaint", "reason": "case 12"}
    page = client.get(reverse("agents:reveal"), {"sealed": sealed})
    assert "123-45-6789" not in page.content.decode()
    refused = client.post(reverse("agents:reveal"), given)
    assert refused.status_code == 422
    assert "no rule lets ann see PII" in refused.content.decode()
    rule('"Auditor" in roles')
    assert "123-45-6789" in client.post(reverse("agents:reveal"), given).content.decode()
    assert client.get(reverse("agents:reveal"), given).content.decode().count("123-45-6789") == 0


def test_the_page_lists_violations_and_keeps_what_people_set(client: Client) -> None:
    Agent.objects.create(name="scribe", title="Scribe")
    facts: dict[str, Any] = {"masked": [{"at": "text", "kind": "card", "tag": "pci", "from": 0, "to": 19, "why": "w"}]}
    violations.record(Seen("scribe", 1, "output_pci", facts))
    client.force_login(people.person("adm", "Administrator"))
    page = client.get(reverse("agents:guardrails")).content.decode()
    assert "card data in its output" in page
    assert "masked: card number in text" in page
    posted = {"name": "claims", "tags": ["pii"], "condition": "true", "enabled": "on", "reason": "policy"}
    assert client.post(reverse("agents:guard-rule"), posted).status_code == 302
    assert DataRule.objects.get().tags == ["pii"]
    assert client.post(reverse("agents:guard-rule"), {**posted, "condition": "nope"}).status_code == 422
    assert client.post(reverse("agents:guard-consents"), {"subject": "c-7"}).status_code == 403
    client.force_login(people.person("dev", "Agent Development Specialist"))
    said = {"subject": "c-7", "purpose": "memory", "evidence": "form", "granted": "yes"}
    assert client.post(reverse("agents:guard-consents"), said).status_code == 302
    assert Consent.objects.get().granted
    assert "c-7" not in Consent.objects.get().subject


def test_people_read_correct_and_erase_memory_by_the_page(client: Client) -> None:
    Agent.objects.create(name="scribe", title="Scribe")
    number = store.remember(Scope("scribe", 1, "flow"), {"text": "the limit is <b>500</b>", "layer": "long"})
    client.force_login(people.person("aud", "Auditor"))
    assert client.get(reverse("agents:memory")).status_code == 403
    client.force_login(people.person("dev", "Agent Development Specialist"))
    page = client.get(reverse("agents:memory")).content.decode()
    assert "the limit is &lt;b&gt;500&lt;/b&gt;" in page
    change = reverse("agents:memory-change", args=[number, "correct"])
    assert client.post(change, {"text": "the limit is 5000"}).status_code == 422
    assert client.post(change, {"text": "the limit is 5000", "reason": "typo"}).status_code == 302
    assert MemoryItem.objects.get().text == "the limit is 5000"
    assert client.post(reverse("agents:memory-change", args=[number, "delete"]), {"reason": "old"}).status_code == 302
    assert not MemoryItem.objects.exists()
    assert client.post(reverse("agents:memory-change", args=[1, "nonsense"]), {"reason": "x"}).status_code == 404
