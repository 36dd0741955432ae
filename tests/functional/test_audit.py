"""An auditor finds an incident, takes its evidence along, and keeps what is recorded about it, in a real browser."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from monitoring.forensics import indexing
from monitoring.models import LegalHold
from orchestrator.models import Event, LedgerEntry, Run
from tests import factories, people
from tests.functional.conftest import Site, serious_problems, until


@pytest.fixture
def run(site: Site, settings: Any, tmp_path: Path) -> Run:
    settings.DATA_DIR = tmp_path  # where evidence is signed
    made = people.run()
    Run.objects.filter(pk=made.pk).update(input={"incident_id": "INC-7"}, title="Isolate fin-db-02")
    people.gate(of=made)
    until(lambda: LedgerEntry.objects.count() == Event.objects.count(), what="everything is sealed")
    indexing.index()
    return Run.objects.get(pk=made.pk)


def test_auditor_finds_an_incident_and_takes_its_evidence_along(site: Site, page: Page, run: Run) -> None:
    site.enter(page, factories.user("nora", "Auditor"), "/audit/")

    page.get_by_label("Incident").fill("INC-7")
    page.get_by_label("Incident").press("Enter")
    runs = page.get_by_role("list", name="Runs that this is about")
    expect(runs.get_by_role("link", name=f"#{run.pk} Isolate fin-db-02")).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Evidence pack").click()

    assert taken.value.suggested_filename == "watchkeeper-evidence-INC-7.zip"
    with zipfile.ZipFile(taken.value.path()) as pack:
        assert {"gates.json", "events.jsonl", "manifest.sig"} <= set(pack.namelist())
    assert Event.objects.filter(kind="audit.exported", actor="user:nora").count() == 1


def test_auditor_places_and_releases_a_hold(site: Site, page: Page, run: Run) -> None:
    site.enter(page, factories.user("nora", "Auditor"), "/audit/")

    page.get_by_role("link", name="Legal holds").click()
    page.get_by_label("Which").fill("INC-7")
    page.get_by_label("Why", exact=True).fill("a claim")
    page.get_by_role("button", name="Place the hold").click()
    row = page.get_by_role("row").filter(has_text="INC-7")
    expect(row).to_contain_text("a claim")
    row.get_by_label("Why it is released").fill("settled")
    row.get_by_role("button", name="Release").click()

    expect(page.get_by_text("settled")).to_be_visible()
    assert LegalHold.objects.get().released_at is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("address", ["/audit/?incident=INC-7", "/audit/holds/"])
def test_pages_keep_nobody_out(site: Site, page: Page, run: Run, address: str, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    site.enter(page, factories.user("nora", "Auditor"), address)

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
