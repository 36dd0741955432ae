"""The agents app: registry, contracts and adapters. A leaf: it knows no runs."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
