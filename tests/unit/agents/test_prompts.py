"""agents.prompts: fields are inserted as text; anything cleverer is refused."""

import pytest

from agents.errors import InvalidRegistration
from agents.prompts.fields import PromptTemplate


def test_fill_inserts_text_and_json() -> None:
    template = PromptTemplate("Title: {title}\nTags: {tags} {{literal}}{none}")

    text = template.fill({"title": "a {tags} b", "tags": ["x"], "unused": 1})

    assert text == 'Title: a {tags} b\nTags: [\n  "x"\n] {literal}'
    assert template.variables == {"title", "tags", "none"}


@pytest.mark.parametrize("source", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>10}", "{}", "{0}", "{a", "}"])
def test_template_with_more_than_fields_is_refused(source: str) -> None:
    with pytest.raises(InvalidRegistration):
        PromptTemplate(source)
