from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0012_memory_vectors")]

    operations = [
        migrations.AddField(
            model_name="bridgehealth",
            name="holder",
            field=models.CharField(
                blank=True, default="", help_text="The relay that keeps it, of several.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="bridgehealth",
            name="held_until",
            field=models.DateTimeField(null=True),
        ),
    ]
