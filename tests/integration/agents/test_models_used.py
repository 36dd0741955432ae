"""agents.models_used: what a model has written so far, as people may see it."""

import pytest

from agents import models_used
from agents.models import PartialText
from agents.models_used import CallOf

pytestmark = pytest.mark.django_db
KEY = "ghp_" + "a1B2c3D4e5F6" * 3


def test_secret_that_a_model_writes_is_not_shown() -> None:
    models_used.show([(CallOf("task-1-0", "c", 1, "writer"), f"The key is {KEY}, keep it. So")])
    assert PartialText.objects.get().text == "The key is [secret hidden], keep it. "
