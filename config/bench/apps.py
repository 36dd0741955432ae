"""The app that brings the bench's agents into workers started by the bench; EXTRA_APPS names it there, nobody else."""

from django.apps import AppConfig


class BenchConfig(AppConfig):
    name = "config.bench"
    label = "bench"
