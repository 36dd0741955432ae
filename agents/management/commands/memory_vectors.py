"""`manage.py memory_vectors`: let memory be searched by meaning, where pgvector came after the tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, connection, transaction

from agents.errors import MemoryUnavailable
from agents.memory import embedding


class Command(BaseCommand):
    """Safe to run twice."""

    help = "Make the extension vector and memory's column of that type, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Both in one transaction; says what the database said when it refuses."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
                cursor.execute(embedding.ADD_COLUMN)
        except ProgrammingError as refused:
            raise CommandError(f"The database refused: {str(refused).splitlines()[0]}.") from refused
        try:
            embedding.require()
        except MemoryUnavailable as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write("Memory can be searched by meaning.")
