"""Command-line entry point: `python manage.py <command>`."""

import os
import sys

from django.core.management import execute_from_command_line

from config.environment import adopt

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # The bench measures on a database of its own, never on the running stack's.
    if sys.argv[1:2] != ["bench"]:
        adopt()
    execute_from_command_line(sys.argv)
