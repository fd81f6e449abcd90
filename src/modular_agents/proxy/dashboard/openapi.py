"""The OpenAPI 3.1 document of the API, made from its endpoints and shapes: it cannot say what the server does not do."""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator

from modular_agents.proxy.dashboard.api import ENDPOINTS, Endpoint
from modular_agents.proxy.dashboard.shapes import ANSWERS, ErrorView

Json = dict[str, object]
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}


def schema_of(hint: object) -> Json:
    """Return the JSON Schema of an annotation; a dataclass becomes a reference."""
    if isinstance(hint, type) and hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return {"$ref": f"#/components/schemas/{hint.__name__}"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in {types.UnionType, typing.Union}:
        return {"anyOf": [schema_of(argument) for argument in arguments]}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is tuple:
        return {"type": "array", "prefixItems": [schema_of(argument) for argument in arguments], "items": False}
    message = f"no JSON Schema for {hint!r}"
    raise TypeError(message)


def reached(shapes: Iterable[object]) -> Iterator[type]:
    """Yield every dataclass the shapes are made of, innermost first; repeats are the caller's to drop."""
    for shape in shapes:
        if isinstance(shape, type) and dataclasses.is_dataclass(shape):
            yield from reached(typing.get_type_hints(shape).values())
            yield shape
        else:
            yield from reached(typing.get_args(shape))


def _component(shape: type) -> Json:
    hints = typing.get_type_hints(shape)
    return {
        "type": "object",
        "description": inspect.cleandoc(shape.__doc__ or shape.__name__),
        "properties": {name: schema_of(hint) for name, hint in hints.items()},
        "required": list(hints),
    }


def _operation(endpoint: Endpoint) -> Json:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"enum": ["request", "response"]} if name == "side" else {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    in_query = [
        {"name": parameter.name, "in": "query", "description": parameter.about, "schema": {"type": "string"}}
        for parameter in endpoint.parameters
    ]
    content: Json = {"application/json": {"schema": schema_of(endpoint.answer)}} if endpoint.answer else {"application/octet-stream": {}}
    error: Json = {
        "description": "Whose fault, what happened, what to do.",
        "content": {"application/json": {"schema": schema_of(ErrorView)}},
    }
    sent: Json = {}
    if endpoint.body:
        sent = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(endpoint.body)}}}}
    return {
        **sent,
        "summary": endpoint.about,
        "operationId": endpoint.handler.__name__,
        "parameters": [*in_path, *in_query],
        "responses": {"200": {"description": endpoint.about, "content": content}, "default": error},
    }


def document(version: str) -> Json:
    """Return the whole document."""
    shapes = dict.fromkeys(reached((*ANSWERS, *(endpoint.body for endpoint in ENDPOINTS if endpoint.body))))
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "anton proxy dashboard",
            "version": version,
            "description": "The live feed is the WebSocket /ws?after=SEQ; see docs/api.md.",
        },
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {shape.__name__: _component(shape) for shape in shapes},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "anton_3000", "description": "`anton_` and the port."},
            },
        },
    }
