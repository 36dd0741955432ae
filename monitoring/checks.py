"""What `manage.py check --database default` warns of: alert rules that lead nobody to anything to do."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections


@checks.register(checks.Tags.database)
def rules_lead_to_runbooks(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """One warning for each rule without a runbook, or with one that is not there."""
    from monitoring.alerts import rules  # noqa: PLC0415 - models are not loaded when this module is
    from monitoring.models import AlertRule  # noqa: PLC0415 - as above

    if "default" not in (databases or ()):
        return []
    if AlertRule._meta.db_table not in connections["default"].introspection.table_names():
        return []  # `migrate` checks before it has made them
    return [
        checks.Warning(
            f"Alert rule {rule.name!r} leads to no runbook.", hint="Choose one on its page.", id="monitoring.W001"
        )
        for rule in rules.unmapped(AlertRule.objects.all())
    ]
