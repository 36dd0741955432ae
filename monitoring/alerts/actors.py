"""How the events of alerts name who acted."""

from django.contrib.auth.models import User


def actor_of(user: User) -> str:
    """A person."""
    return f"user:{user.get_username()}"
