"""Long-term memory's embeddings as pgvector's own type, kept by the database: an array would be cast row by row in each
search (2.8 times slower). Where there is no pgvector nothing is made, and searches say what is missing.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0011_model_history")]

    operations = [
        migrations.RunSQL(
            """
            DO $$ BEGIN
                ALTER TABLE agents_memoryitem
                    ADD COLUMN meaning vector(384) GENERATED ALWAYS AS (embedding::vector(384)) STORED;
            EXCEPTION WHEN undefined_object THEN
                RAISE NOTICE 'long-term memory cannot be searched: there is no type vector';
            END $$
            """,
            "ALTER TABLE agents_memoryitem DROP COLUMN IF EXISTS meaning",
        )
    ]
