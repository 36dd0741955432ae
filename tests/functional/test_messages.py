"""The pages of messages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from agents.messaging import operations
from agents.models import BridgeHealth, Delivery
from tests import factories
from tests.functional.conftest import Site, serious_problems
from tests.messages import agents, send


@pytest.fixture
def engineer(site: Site) -> factories.User:
    agents("planner", "legal", "finance")
    made = factories.user("ina", "System Integration Engineer")
    operations.subscribe("legal", "claims.*", match="message.payload.amount > 100", by=made)
    operations.subscribe("finance", "broadcast", by=made)
    asked = send({"question": "May we say this?", "draft": "Ours is the best."}, to="legal", correlation_id="case-7")
    send(
        {"answer": "No: \u202eit cannot be shown."},
        agent_id="legal",
        to="planner",
        message_type="RESULT",
        causation_id=str(asked.uid),
        confidence=0.82,
    )
    send({"amount": 500}, topic="claims.legal", priority="critical", correlation_id="case-8")
    send({"text": "The market opens."}, broadcast=True, message_type="STATUS")
    poison = send({"text": "poison"}, to="finance", correlation_id="case-9").deliveries.get()
    Delivery.objects.filter(pk=poison.pk).update(state="dead", failures=5, problem="Its reader raised ValueError.")
    BridgeHealth.objects.create(name="mqtt://broker:1883", kind="mqtt", rank=0, problem="Connection refused.")
    BridgeHealth.objects.create(name="redis://store:6379", kind="redis", rank=1, up=True, active=True, sent=12)
    return made


def test_dead_letter_is_found_and_put_back(site, page: Page, engineer):
    site.enter(page, engineer, "/agents/messages/")
    page.get_by_role("link", name="Dead letters").click()

    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Put back…").click()
    expect(page.get_by_text("Its reader raised ValueError.")).to_be_visible()
    page.get_by_label("Why").fill("the reader was mended")
    page.get_by_role("button", name="Put back", exact=True).click()

    expect(page.get_by_text("The dead letters were put back.")).to_be_visible()
    expect(page.get_by_text("No dead letters")).to_be_visible()


def test_thread_is_reached_from_the_list_by_its_piece_of_work(site, page: Page, engineer):
    site.enter(page, engineer, "/agents/messages/")

    page.get_by_role("link", name="case-7").first.click()
    expect(page.get_by_role("link", name="planner → legal")).to_be_visible()
    expect(page.get_by_role("link", name="planner → everybody")).to_have_count(0)
    page.get_by_role("link", name="legal → planner").click()

    expect(page.get_by_role("heading", name="Its thread")).to_be_visible()
    expect(page.get_by_text("Written by agent legal")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_messages_keep_nobody_out(site, page: Page, engineer, width, scheme, tmp_path):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    one = send({"question": "one more"}, to="legal")

    for name, path in (
        ("list", "/agents/messages/"),
        ("work", "/agents/messages/?correlation_id=case-7"),
        ("dead", "/agents/messages/?tab=dead"),
        ("routing", "/agents/messages/?tab=routing"),
        ("bridges", "/agents/messages/?tab=bridges"),
        ("one", f"/agents/messages/{one.uid}/"),
    ):
        site.enter(page, engineer, path)
        page.screenshot(path=str(tmp_path / f"{name}-{width}-{scheme}.png"), full_page=True)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
