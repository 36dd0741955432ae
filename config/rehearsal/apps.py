"""The app that turns agents into stubs, in workers that a rehearsal starts; EXTRA_APPS names it there, nobody else."""

from django.apps import AppConfig


class RehearsalConfig(AppConfig):
    name = "config.rehearsal"
    label = "rehearsal"
