"""The frame around every page: what the navigation and the search lead to opens, for each role."""

import re

import pytest
from django.test import Client

from approvals.roles import ROLES
from config.context import MATTER, WORK, Shell
from config.subpages import BELOW
from tests import factories

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_every_page_that_navigation_and_search_lead_a_role_to_opens(role: str) -> None:
    user = factories.user("rae", role)
    client = Client()
    client.force_login(user, backend=BACKEND)
    shell = Shell(user, "/")

    links = [*(link for group in shell.groups for link in group), *shell.below]

    assert {link.href: code for link in links if (code := client.get(link.href).status_code) != 200} == {}
    keys = [link.key for link in links if link.key]
    assert len(set(keys)) == len(keys), "two pages with the same keys: the second cannot be reached by them"


def test_pages_are_below_pages_that_there_are() -> None:
    assert {*BELOW} - {entry.view for entry in (*WORK, *MATTER)} == {""}


@pytest.mark.django_db
def test_search_finds_pages_below_those_of_the_navigation_for_whom_they_open() -> None:
    client = Client()
    client.force_login(factories.user("nora", "Auditor"), backend=BACKEND)

    assert "/audit/holds/" in client.get("/search/?q=legal").text
    client.force_login(factories.user("dev", "Agent Development Specialist"), backend=BACKEND)
    assert "/audit/holds/" not in client.get("/search/?q=legal").text


@pytest.mark.django_db
def test_error_page_says_which_language_it_is_in() -> None:
    client = Client()
    client.force_login(factories.user("rae", "Reviewer"), backend=BACKEND)
    client.cookies["django_language"] = "de"

    assert '<html lang="de">' in client.get("/nowhere/").text


@pytest.mark.django_db
def test_every_name_that_search_shows_can_be_told_apart() -> None:
    client = Client()
    client.force_login(factories.user("vera", *ROLES), backend=BACKEND)

    page = client.get("/search/?q=e").text

    shown = re.findall(r'role="option"[^>]* id="([^"]+)"', page)
    assert len(shown) == len(set(shown)) > 10
    assert ">People</a>" in client.get("/search/?q=people").text.replace("\n", "")


@pytest.mark.django_db
def test_address_that_takes_forms_alone_says_so_on_a_page_of_ours() -> None:
    client = Client()
    client.force_login(factories.user("nora", "Auditor"), backend=BACKEND)
    browser = {"Accept": "text/html,application/xhtml+xml"}

    shown = client.get("/audit/export/", headers=browser)

    assert (shown.status_code, shown["Allow"]) == (405, "POST")
    assert "There is no page here" in shown.text
    assert client.get("/audit/export/").content == b""
    assert "There is no page here" not in client.get("/api/v1/tokens", headers=browser).text
