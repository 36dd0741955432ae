"""Registers the pattern when Django is ready, as any installed app may."""

from django.apps import AppConfig

from orchestrator.patterns import registry
from tests.plugin_pattern.duel import Duel


class PluginConfig(AppConfig):
    name = "tests.plugin_pattern"
    label = "plugin_pattern"

    def ready(self) -> None:
        """Make the pattern known."""
        registry.register(Duel())
