"""Parts of pages that are written once for the same values, however many pages show them."""

import secrets
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

from django import template
from django.conf import settings
from django.template import Context, Engine
from django.template.base import Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils import timezone
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = template.Library()
MOST = 4096  # parts of a kilobyte, of a process
_TOKEN: Final = secrets.token_urlsafe(32)  # stands where a form's token goes; nobody else can write it


@register.simple_tag
def remembered(name: str, **values: Hashable) -> SafeString:
    """`include NAME with VALUES only`, written once for each set of values, language and time zone.

    For parts that depend on nothing else: not on the clock, the request or the database. What they are given is values,
    or named tuples of values. A form's `csrf_token`, which is another in each answer, is put in afterwards.
    """
    token = values.pop("csrf_token", None)
    if token is not None:
        values["csrf_token"] = _TOKEN
    typed = tuple((key, type(value), value) for key, value in values.items())
    written = _written(name, get_language(), timezone.get_current_timezone_name(), typed)
    return written if token is None else mark_safe(written.replace(_TOKEN, escape(str(token))))  # noqa: S308


@lru_cache(maxsize=MOST)
def _written(name: str, _language: str | None, _zone: str, typed: tuple[tuple[str, type, Hashable], ...]) -> SafeString:
    return Engine.get_default().get_template(name).render(Context({key: value for key, _type, value in typed}))


class AddressNode(URLNode):
    """`{% url %}`: working out an address is dear, and a page names a hundred, most of them on every page."""

    def render(self, context: Context) -> str:
        """As Django's node."""
        args = tuple(arg.resolve(context) for arg in self.args)
        kwargs = tuple((name, value.resolve(context)) for name, value in self.kwargs.items())
        try:
            view = self.view_name.resolve(context)
            found = _address(view, args, kwargs, get_urlconf() or settings.ROOT_URLCONF, get_script_prefix())
        except NoReverseMatch:
            if self.asvar is None:
                raise
            found = ""
        if self.asvar:
            context[self.asvar] = found
            return ""
        return conditional_escape(found) if context.autoescape else found


@register.tag
def url(parser: Parser, token: Token) -> AddressNode:
    """Django's tag; what it has worked out is remembered."""
    node: Any = django_url(parser, token)
    return AddressNode(node.view_name, node.args, node.kwargs, node.asvar)


@lru_cache(maxsize=MOST)
def _address(
    view: str, args: tuple[object, ...], kwargs: tuple[tuple[str, object], ...], urlconf: str, _prefix: str
) -> str:
    return reverse(view, urlconf=urlconf, args=args, kwargs=dict(kwargs))
