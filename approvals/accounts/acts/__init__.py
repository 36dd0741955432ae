"""Acts on access: importing this package registers them all (`approvals.apps`)."""

from approvals.accounts.acts import answerable, grants, people, queues, roles, second

__all__ = ["answerable", "grants", "people", "queues", "roles", "second"]
