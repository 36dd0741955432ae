"""What is noted with each verdict, on a gate and on a check alike."""

from django.contrib.auth.models import User

from approvals.able import first, measures


def noted(item: int, by: User, verdict: str) -> None:
    """Close the measures of one person on one item, and compare the verdict with their first judgement."""
    measures.decided(item, by, verdict)
    first.settle(item, by, verdict)
