"""Command-line entry point: `python manage.py <command>`."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from config.environment import adopt, where_to_look

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # The bench measures on a database of its own, never on the running stack's.
    if sys.argv[1:2] != ["bench"]:
        adopt()
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as problem:
        if "--traceback" in sys.argv:
            raise
        sys.exit(where_to_look(problem))
