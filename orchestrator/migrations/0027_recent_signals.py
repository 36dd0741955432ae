"""Consumer groups may give a run the last signals of the same key: a stream that is judged in a window."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0026_step_teams")]

    operations = [
        migrations.AddField(
            model_name="consumergroup",
            name="recent",
            field=models.SmallIntegerField(
                db_default=0,
                default=0,
                help_text="The last so many signals of the same key are a run's input, as `recent`; "
                "0: the signal's own data.",
            ),
        ),
    ]
