"""The API's documentation as a page of ours, drawn from the OpenAPI document: no script, nothing from elsewhere."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.api.assembly import api


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a route."""

    name: str
    place: str
    type: str
    is_required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a route. `schema` is the name of its shape, or of each item if `is_list`."""

    status: int
    words: str
    schema: str
    is_list: bool

    @property
    def is_error(self) -> bool:
        """Whether it is a refusal."""
        return self.status >= 400


@dataclass(frozen=True, slots=True)
class Route:
    """One route as the page shows it."""

    anchor: str
    method: str
    path: str
    title: str
    about: str
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One schema, as JSON."""

    name: str
    about: str
    text: str


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Every route by subject, then every schema."""
    sections, shapes = _page()
    return render(request, "api/docs.html", {"sections": sections, "shapes": shapes})


@cache
def _page() -> tuple[dict[str, list[Route]], list[Shape]]:
    document = api.get_openapi_schema()
    sections: dict[str, list[Route]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sections[operation["tags"][0]].append(_route(path, method, operation))
    shapes = [
        Shape(name, schema.get("description", ""), _json(schema))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return dict(sections), shapes


def _route(path: str, method: str, operation: dict[str, Any]) -> Route:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return Route(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation["summary"],
        about=operation.get("description", ""),
        parameters=tuple(_parameter(found) for found in operation.get("parameters", ())),
        body=_name(body),
        answers=tuple(_answer(int(status), found) for status, found in operation["responses"].items()),
    )


def _parameter(found: dict[str, Any]) -> Parameter:
    schema = found["schema"]
    kinds = [inner.get("type", "") for inner in schema.get("anyOf", [schema])]
    kind = " or ".join(kind for kind in kinds if kind != "null") or _name(schema)
    about = found.get("description") or schema.get("description", "")
    return Parameter(found["name"], found["in"], kind, bool(found.get("required")), about)


def _answer(status: int, found: dict[str, Any]) -> Answer:
    schema = found.get("content", {}).get("application/json", {}).get("schema", {})
    is_list = "items" in schema
    return Answer(status, HTTPStatus(status).phrase, _name(schema["items"] if is_list else schema), is_list)


def _name(schema: dict[str, Any]) -> str:
    """The name of the schema that is referred to."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _json(schema: dict[str, Any]) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
