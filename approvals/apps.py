"""The approvals app: gates, decisions, the inbox and who may do what."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to Django's own sign-in and sign-out."""
        from approvals import sessions  # noqa: PLC0415 - models are only importable once every app is loaded

        sessions.listen()
