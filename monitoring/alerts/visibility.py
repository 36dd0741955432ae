"""Who may see which alerts: whoever sees the floor, less what tells of a workflow or queue that they may not see."""

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from approvals import permissions
from monitoring.models import Alert


def may_enter(user: User) -> bool:
    """Whether the pages of alerts open for this person."""
    return permissions.can(user, "see_floor")


def visible(user: User) -> QuerySet[Alert]:
    """The alerts that this person may see."""
    if not may_enter(user):
        return Alert.objects.none()
    workflows = permissions.visible_workflows(user).order_by().values("pk")
    queues = permissions.visible_queues(user).order_by().values("pk")
    return Alert.objects.filter(
        Q(workflow=None) | Q(workflow__in=workflows), Q(queue=None) | Q(queue__in=queues)
    ).select_related("rule", "acknowledged_by", "assigned_to")


def may_see(user: User, alert: Alert) -> bool:
    """The same of one alert, for somebody who is not here."""
    if not may_enter(user):
        return False
    may = alert.workflow is None or permissions.can(user, "see_runs", alert.workflow)
    return may and (alert.queue is None or permissions.can(user, "see_gate", alert.queue))
