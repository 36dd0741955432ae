from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0013_bridge_leases")]

    operations = [
        migrations.CreateModel(
            name="SecretVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                ("version", models.CharField(max_length=100)),
                ("seen_at", models.DateTimeField(auto_now=True)),
            ],
        ),
    ]
