"""`manage.py prepare` looks at what the environment sets, and reads no pages for it."""

import pytest
from django.core.management.base import SystemCheckError

from config.management.commands.prepare import Command


def test_prepare_refuses_an_origin_without_a_scheme(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["watch.example"]
    command = Command()

    with pytest.raises(SystemCheckError, match="scheme"):
        command.check(**command.get_check_kwargs({}))
