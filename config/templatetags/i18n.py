"""Django's `{% load i18n %}` as every template knows it, with words that are written once for each language.

A page says a hundred and fifty of them, and looking each up anew was a tenth of its time. Catalogues do not change
while a process runs, and a literal depends on nothing else.
"""

from typing import Any

from django.template import Context, Library, Node
from django.template.base import Parser, Token
from django.templatetags import i18n
from django.utils.translation import get_language

register = Library()
register.tags.update(i18n.register.tags)
register.filters.update(i18n.register.filters)


class LiteralNode(Node):
    """`{% translate "…" %}`, with or without `as`: what Django's node writes, kept by language."""

    child_nodelists = ()

    def __init__(self, node: i18n.TranslateNode) -> None:
        self.asvar: str | None = node.asvar
        node.asvar = None
        self._node = node
        self._said: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        """The words, or nothing where they are put into a variable."""
        language = get_language()
        said = self._said.get(language)
        if said is None:
            said = self._said[language] = self._node.render(Context())
        if self.asvar:
            context[self.asvar] = said
            return ""
        return said


@register.tag("translate")
@register.tag("trans")
def translate(parser: Parser, token: Token) -> Node:
    """Django's tag; of a literal alone, without filters or a context, the node above."""
    node: Any = i18n.do_translate(parser, token)
    said = node.filter_expression
    is_literal = said.is_var and said.var.lookups is None and not said.filters
    return LiteralNode(node) if is_literal and node.message_context is None else node
