"""The composition root as an app, for its management commands and template tags."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
