"""What is stored in English is shown in the user's language."""

import pytest
from django.test import Client

from approvals.roles import VERBS
from monitoring.alerts import shipped
from tests import factories

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def german() -> Client:
    client = Client()
    client.force_login(factories.user("adam", "Administrator"), backend=BACKEND)
    client.cookies["django_language"] = "de"
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/access/roles/", "/account/tokens/", "/workflows/refunds/?tab=people"])
def test_rights_are_said_in_the_users_language(german: Client, path: str) -> None:
    factories.workflow("refunds")

    shown = german.get(path).text

    assert [words for words in VERBS.values() if f">{words}<" in shown or f"{words}," in shown] == []


@pytest.mark.django_db
def test_rules_that_come_with_the_product_are_called_in_the_users_language(german: Client) -> None:
    shipped.seed()

    shown = german.get("/alerts/rules/").text

    assert [rule.title for rule in shipped.RULES if f">{rule.title}<" in shown] == []


@pytest.mark.django_db
def test_search_says_in_the_users_language_how_a_run_stands(german: Client) -> None:
    factories.run(factories.workflow("refunds"), statuses=["ready"], title="Refund 7")

    shown = german.get("/search/?q=refund").text

    assert "Refund 7" in shown
    assert "Läuft" in shown
