"""`manage.py prepare` looks at what the environment sets, and reads no pages for it."""

import pytest
from django.core.checks import Tags
from django.core.management import get_commands, load_command_class
from django.core.management.base import SystemCheckError

from config.management.commands.prepare import Command


def test_prepare_refuses_an_origin_without_a_scheme(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["watch.example"]
    command = Command()

    with pytest.raises(SystemCheckError, match="scheme"):
        command.check(**command.get_check_kwargs({}))


@pytest.mark.parametrize("name", ["prepare", "feed", "bridge", "rehearse"])
def test_command_that_others_wait_for_or_that_stays_reads_no_pages(name):
    checks = load_command_class(get_commands()[name], name).requires_system_checks

    assert checks != "__all__"
    assert not {Tags.urls, Tags.templates} & {*checks}
