"""An administrator sees what other systems are told, on any screen."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from monitoring.models import Outlet
from monitoring.telemetry import business
from monitoring.telemetry.business import Report
from tests import factories
from tests.functional.conftest import Site, serious_problems


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_an_administrator_sees_what_goes_where_and_since_when_it_fails(
    site: Site, page: Page, settings: Any, tmp_path: Path, width: int, scheme: Any
) -> None:
    settings.OUTLETS = ["traces", "siem"]
    settings.TRACES = {"endpoint": "http://collector.example.org:4318/v1/traces", "share": 0.25}
    settings.SIEM_URL = "syslog+tls://siem.example.org:6514"
    now = timezone.now()
    Outlet.objects.create(
        name="traces", pos=0, sent=1_204, failing_since=now - timedelta(minutes=7), sent_at=now - timedelta(minutes=7),
        problem="collector.example.org:4318 cannot be reached (ConnectError)",
    )  # fmt: skip
    Outlet.objects.create(name="siem", pos=0, sent=48_211, lost=1, sent_at=now)
    business.report(Report("tickets_closed", 12, "t1"), by="user:x")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)

    site.enter(page, factories.user("adam", "Administrator"), "/telemetry/")

    expect(page.get_by_text("For 7")).to_contain_text("cannot be reached")
    expect(page.get_by_text("went out, the last")).to_contain_text("48,211")
    expect(page.get_by_text("tickets_closed", exact=True)).to_be_visible()
    page.screenshot(path=tmp_path / f"telemetry-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_problems(page) == []
