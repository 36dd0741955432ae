"""Acts on access: importing this package registers them all (`approvals.apps`)."""

from approvals.accounts.acts import grants, people, queues, roles, second

__all__ = ["grants", "people", "queues", "roles", "second"]
