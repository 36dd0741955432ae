"""No page leads anybody to what is not theirs to open: every link that is shown opens for whoever sees it."""

import re
from collections import deque
from html import unescape

import pytest
from django.test import Client

from tests import factories
from tests.security.cast import World, world

pytestmark = pytest.mark.django_db

# Those who see part of it: whoever sees everything, or nothing, can hardly be led astray.
PERSONAS = ("System Integration Engineer", "viewer", "watcher")
_NUMBER = re.compile(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture(scope="module")
def there(module_db: None) -> World:
    for name in ("severity-assessor", "threat-summariser"):  # named by the evaluations that come along
        factories.agent(name)
    return world()


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_link_that_is_shown_opens(there: World, persona: str) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(there.persons[persona], backend="django.contrib.auth.backends.ModelBackend")
    seen, todo, dead = {"/"}, deque([("/", "the start")]), []

    while todo:
        address, shown_on = todo.popleft()
        answer = client.get(address)
        if answer.status_code >= 400:
            dead.append(f"{answer.status_code} {address} on {shown_on}")
        if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
            continue
        for link in map(unescape, re.findall(r'<a [^>]*href="([^"#]*)', answer.text)):
            target = address.partition("?")[0] + link if link.startswith("?") else link
            if target.startswith("/") and (kind := _NUMBER.sub("N", target)) not in seen:
                seen.add(kind)
                todo.append((target, address))

    assert dead == []
    assert len(seen) > 20  # it did go somewhere
