"""Marks texts for translators, in modules that know no Django: whoever shows one translates it."""


def marked(text: str) -> str:
    """The text as it is; `manage.py translations` collects it."""
    return text


def marked_forms(one: str, many: str) -> tuple[str, str]:
    """The same for a text with a number in it."""
    return one, many
