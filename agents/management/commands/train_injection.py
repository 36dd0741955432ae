"""`manage.py train_injection`: rebuild the injection filter's classifier from our texts, incidents and news."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.guardrails import likeness

FIXTURE = Path(__file__).parents[3] / "tests" / "fixtures" / "injections.tsv"


class Command(BaseCommand):
    requires_system_checks = ()  # it touches files only
    help = "Train the classifier of the injection filter and write it with its card."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # Not at the top: installations without the development dependencies list this command too.
            training = import_module("agents.guardrails.training")
            incidents = import_module("genai_incidents").load_incidents()
            news = import_module("gensim.test.utils").datapath("lee_background.cor")
        except ImportError as error:
            raise CommandError("Training needs scikit-learn; run `uv sync --group dev` and try again.") from error
        dev = [line.split("\t") for line in FIXTURE.read_text().splitlines() if line.startswith("dev\t")]
        labelled = [*training.own(), *((text, int(label)) for _, label, text in dev)]
        half = training.BACKGROUND // 2
        plain = training.background([one["description"] for one in incidents], half)
        plain += training.background(Path(news).read_text(errors="replace").splitlines(), half)
        made = training.train(labelled, plain)
        likeness.FILE.write_text(json.dumps(made, ensure_ascii=False) + "\n")
        self.stdout.write(json.dumps({**made["cross_validated"], "terms": len(made["terms"])}))
