"""Parts of pages that are written once for the same values, however many pages show them."""

from collections.abc import Hashable
from functools import lru_cache

from django import template
from django.template import Context, Engine
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()
MOST = 4096  # parts of a kilobyte, of a process


@register.simple_tag
def remembered(name: str, **values: Hashable) -> SafeString:
    """`include NAME with VALUES only`, written once for each set of values, language and time zone.

    For parts that depend on nothing else: not on the clock, the request or the database. What they are given is values,
    or named tuples of values.
    """
    typed = tuple((key, type(value), value) for key, value in values.items())
    return _written(name, get_language(), timezone.get_current_timezone_name(), typed)


@lru_cache(maxsize=MOST)
def _written(name: str, _language: str | None, _zone: str, typed: tuple[tuple[str, type, Hashable], ...]) -> SafeString:
    return Engine.get_default().get_template(name).render(Context({key: value for key, _type, value in typed}))
