"""How the API reads a body: JSON that can be stored and written again, or a refusal at the door."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class StrictParser(Parser):
    """JSON without lone surrogates: Python reads them, but neither UTF-8 nor the database has them."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The body's value. Raises ValueError, which is answered as a body that cannot be read."""
        value: dict[str, Any] = json.loads(request.body)
        if b"\\u" in request.body:  # the only way to write one
            json.dumps(value, ensure_ascii=False).encode()
        return value
