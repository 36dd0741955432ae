"""Who may see an error's class and stack: those who may steer the run, and those who build agents."""

from django.contrib.auth.models import AnonymousUser, User

from orchestrator.models import Run, Task
from orchestrator.ports import rights


def may_see(user: User | AnonymousUser, of: Run | Task) -> bool:
    """Whether the user may see more of an error than its sentence."""
    return rights().can(user, "steer_run", of) or rights().can(user, "edit_agents")
