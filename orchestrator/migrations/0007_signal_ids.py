from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0006_engine_functions")]

    operations = [
        migrations.RemoveConstraint(model_name="signal", name="one_signal_per_sender_id"),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.UniqueConstraint(fields=["name", "sent_by", "dedup"], name="one_signal_per_sender_id"),
        ),
    ]
