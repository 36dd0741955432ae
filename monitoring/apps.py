"""The monitoring app: the watch floor, live topics, audit. It reads and never writes others' tables."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"
