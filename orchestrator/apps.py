"""The orchestrator app: definitions, runs, tasks, the engine and the event log."""

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    name = "orchestrator"
    default_auto_field = "django.db.models.BigAutoField"
