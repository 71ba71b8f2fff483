"""Describes the API from the same route table that serves it: OpenAPI 3.1, a schema derived from each example."""

import re
from collections.abc import Sequence
from typing import Any

from mailhelper import __version__
from mailhelper.web.routing import Route

ERROR = {"error": "not_found", "message": "There is nothing here."}
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}       # a file rather than JSON
PARAMETER = re.compile(r"<(\w+)(?::(\w+))?>")


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The document; routes without a summary are pages and files, not API."""
    paths: dict[str, Any] = {}
    for route in routes:
        if route.summary:
            paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0", "info": {"title": "mailhelper", "version": __version__}, "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": {"Error": schema(ERROR)}},
    }


def _operation(route: Route) -> dict[str, Any]:
    failure = {"description": "A plain sentence", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    answer = {"description": "OK", "content": BYTES if route.example is None else _content(route.example)}
    operation: dict[str, Any] = {
        "summary": route.summary, "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{PARAMETER.sub('', route.path)}").strip("_")
        + "".join(f"_by_{name}" for name, _ in PARAMETER.findall(route.path)),
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind == "int" else "string"}}
                       for name, kind in PARAMETER.findall(route.path)]
        + [{"name": name, "in": "query", "description": text, "schema": {"type": "string"}} for name, text in route.query.items()],
        "responses": {str(route.status): answer, "default": failure},
        "security": [] if route.access == "public" else [{"token": []}],
    }
    if route.body is not None:
        operation["requestBody"] = {"content": _content(route.body)}
    return operation


def _content(example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema(example), "example": example}}


def schema(example: Any) -> dict[str, Any]:
    """A JSON Schema that the example meets; what is null in it may be anything."""
    if example is None:
        return {}
    if isinstance(example, bool):
        return {"type": "boolean"}
    if isinstance(example, int | float):
        return {"type": "integer" if isinstance(example, int) else "number"}
    if isinstance(example, str):
        return {"type": "string"}
    if isinstance(example, list):
        return {"type": "array", "items": schema(example[0]) if example else {}}
    return {"type": "object", "properties": {name: schema(value) for name, value in example.items()}}
