"""Which teams have steps in a version: whoever belongs to one sees its part of the version's runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0025_bills")]

    operations = [
        migrations.AddField(
            model_name="workflowversion",
            name="teams",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="Whose steps are whose: the places of each team's in the plan, by its name.",
            ),
        ),
    ]
