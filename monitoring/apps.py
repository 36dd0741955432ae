"""The monitoring app: the watch floor, live topics, alerts, audit. It reads and never writes others' tables."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks."""
        from monitoring import checks  # noqa: F401, PLC0415 - they register themselves
