"""The tool that looks a technique up."""

from typing import Any, cast

import pytest
from pydantic import ValidationError

from agents.library.attack_tools import TechniqueId, look_up

CTX = cast("Any", None)  # it needs nothing of a call


def test_known_technique_comes_with_what_mitigates_and_detects_it() -> None:
    found = look_up(TechniqueId(id="T1190"), CTX)

    assert (found.known, found.name) == (True, "Exploit Public-Facing Application")
    assert "M1051" in {one.id for one in found.mitigations}
    assert found.detections


def test_technique_that_attack_does_not_have_is_not_known() -> None:
    found = look_up(TechniqueId(id="T9999"), CTX)

    assert (found.known, found.mitigations) == (False, [])


@pytest.mark.parametrize("wrong", ["", "1190", "T1190; drop", "T11900", "t1190"])
def test_what_is_no_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        TechniqueId(id=wrong)
