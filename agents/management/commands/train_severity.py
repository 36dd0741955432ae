"""`manage.py train_severity`: rebuild the severity model, its card and the framework map from the incidents."""

import json
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.library import compliance, incidents, severity


class Command(BaseCommand):
    requires_system_checks = ()  # it touches files only
    help = "Train, calibrate and evaluate the severity model; write it, its card and the framework map."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # Not at the top: installations without the development dependencies list this command too.
            frameworks, training = (
                import_module(f"agents.library.training.{name}") for name in ("frameworks", "severity")
            )
        except ImportError as error:
            raise CommandError("Training needs scikit-learn; run `uv sync --group dev` and try again.") from error
        known = incidents.load()
        model = training.train(known)
        card = training.card(model, known, date=timezone.now().date().isoformat())
        severity.save(model, severity.MODEL_FILE)
        severity.CARD_FILE.write_text(json.dumps(card, indent=2) + "\n")
        compliance.MAP_FILE.write_text(json.dumps(frameworks.category_map(known), indent=1) + "\n")
        self.stdout.write(json.dumps(card["held_out"], indent=2))
