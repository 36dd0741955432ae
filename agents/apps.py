"""The agents app: registry, contracts and adapters. A leaf: it knows no runs."""

from django.apps import AppConfig
from django.utils.translation import gettext

from agents import errors


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Errors speak the language of whoever is served; their module knows no Django."""
        errors.speak(gettext)
