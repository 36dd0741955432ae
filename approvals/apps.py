"""The approvals app: gates, decisions, the inbox and who may do what."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to Django's own sign-in and sign-out, offer the acts on access, and keep the roles in step."""
        # Models are only importable once every app is loaded; importing the acts registers them.
        from approvals import sessions  # noqa: PLC0415
        from approvals.accounts import acts as acts  # noqa: PLC0415

        sessions.listen()
        post_migrate.connect(_ship_roles, sender=self, dispatch_uid="approvals.ship_roles")


def _ship_roles(**_: Any) -> None:
    from approvals.accounts import roles  # noqa: PLC0415 - see above

    roles.ship()
