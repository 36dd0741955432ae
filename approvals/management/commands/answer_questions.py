"""`manage.py answer_questions`: answer what reviewers asked agents, and wait a little for more. Workers start it."""

import time
from typing import Any, Final

from django.core.management.base import BaseCommand

from agents.registry import autodiscover
from approvals import asking, db, replying

IDLE_SECONDS: Final = 60.0  # loading all agents takes seconds: whoever asks once often asks again
PAUSE_SECONDS: Final = 0.3


class Command(BaseCommand):
    help = "Answer reviewers' questions to agents. A second process leaves at once."

    def handle(self, *args: Any, **options: Any) -> None:
        if not db.be_the_one_who_answers():
            return
        autodiscover()
        last = time.monotonic()
        while time.monotonic() - last < IDLE_SECONDS:
            if asking.is_due() and replying.answer_all():
                last = time.monotonic()
            time.sleep(PAUSE_SECONDS)
