"""The rows of the inbox: written in Python, for forty of them in a template's loop were a tenth of the page."""

from collections.abc import Sequence

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from approvals.lists import Line
from approvals.templatetags.verdicts import SOON
from config.templatetags.remembering import remembered
from config.templatetags.watchkeeper import relative

register = template.Library()


@register.simple_tag
def queue_rows(lines: Sequence[Line], base: str, query: str, at: object) -> SafeString:
    """Each line's row; `at` is the card that is open beside the list."""
    now = timezone.now()
    return mark_safe("".join(_row(line, (line.deadline - now).total_seconds(), base, query, at) for line in lines))  # noqa: S308


def _row(line: Line, seconds: float, base: str, query: str, at: object) -> SafeString:
    here = {"is_here": True} if line.pk == at else {}
    return remembered(
        "approvals/row.html", line=line, left=relative(seconds), is_soon=seconds < SOON, base=base, query=query, **here
    )
