"""What is noted with each verdict, on a gate and on a check alike."""

from collections.abc import Collection

from django.contrib.auth.models import User

from approvals.able import first, measures


def noted(item: int, by: User, verdict: str, has: Collection[str] = ("measures", "first")) -> None:
    """Close the measures of one person on one item, and compare the verdict with their first judgement.

    `has` says which of the two there are.
    """
    if "measures" in has:
        measures.decided(item, by, verdict)
    if "first" in has:
        first.settle(item, by, verdict)
