"""The composition root as an app, for its management commands and template tags."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Listen to what Django and django-allauth say about signing in."""
        from config.accounts import fresh, told  # noqa: PLC0415 - models are only importable once every app is loaded

        fresh.listen()
        told.listen()
