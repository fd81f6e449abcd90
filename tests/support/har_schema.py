"""HAR 1.2, read strictly: required fields, their types, and nothing else but fields that begin with `_`.

Written from the specification (http://www.softwareishard.com/blog/har-12-spec/), section by section.
"""

from datetime import datetime
from typing import Any

Number = (int, float)
NAMED = {"name": str, "value": str}
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # by object: what it must have, what it may have
    "log": ({"version": str, "creator": "creator", "entries": ["entry"]}, {"browser": "creator", "pages": list, "comment": str}),
    "creator": ({"name": str, "version": str}, {"comment": str}),
    "entry": (
        {"startedDateTime": str, "time": Number, "request": "request", "response": "response", "cache": "cache", "timings": "timings"},
        {"pageref": str, "serverIPAddress": str, "connection": str, "comment": str},
    ),
    "request": (
        {
            "method": str,
            "url": str,
            "httpVersion": str,
            "cookies": ["cookie"],
            "headers": ["named"],
            "queryString": ["named"],
            "headersSize": int,
            "bodySize": int,
        },
        {"postData": "postData", "comment": str},
    ),
    "response": (
        {
            "status": int,
            "statusText": str,
            "httpVersion": str,
            "cookies": ["cookie"],
            "headers": ["named"],
            "content": "content",
            "redirectURL": str,
            "headersSize": int,
            "bodySize": int,
        },
        {"comment": str},
    ),
    "named": (NAMED, {"comment": str}),
    "cookie": (NAMED, {"path": str, "domain": str, "expires": str, "httpOnly": bool, "secure": bool, "comment": str}),
    "postData": ({"mimeType": str, "params": ["param"], "text": str}, {"comment": str}),
    "param": ({"name": str}, {"value": str, "fileName": str, "contentType": str, "comment": str}),
    "content": ({"size": int, "mimeType": str}, {"compression": int, "text": str, "encoding": str, "comment": str}),
    "cache": ({}, {"beforeRequest": dict, "afterRequest": dict, "comment": str}),
    "timings": (
        {"send": Number, "wait": Number, "receive": Number},
        {"blocked": Number, "dns": Number, "connect": Number, "ssl": Number, "comment": str},
    ),
}


def check(archive: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Return the entries of an archive; AssertionError says where it is none."""
    assert set(archive) == {"log"}
    _check("log", archive["log"], "log")
    assert archive["log"]["version"] == "1.2"
    for number, entry in enumerate(archive["log"]["entries"]):
        where = f"entries[{number}]"
        assert datetime.fromisoformat(entry["startedDateTime"]).tzinfo is not None, where
        timings = entry["timings"]
        assert all(timings[name] >= 0 for name in ("send", "wait", "receive")), f"{where}: required timings are never -1"
        parts = [ms for name, ms in timings.items() if ms > 0 and name != "ssl"]
        assert abs(entry["time"] - sum(parts)) < 1e-6, f"{where}: time is the sum of timings"
        assert entry["response"]["content"].get("encoding", "base64") == "base64", where
    return list(archive["log"]["entries"])


def _check(shape: str, value: Any, where: str) -> None:  # noqa: ANN401 - JSON
    required, optional = SHAPES[shape]
    assert isinstance(value, dict), where
    assert set(required) <= set(value), f"{where}: {set(required) - set(value)} missing"
    for name, inner in value.items():
        if name.startswith("_"):
            continue
        assert name in required or name in optional, f"{where}.{name} is no field of HAR"
        _check_field((required | optional)[name], inner, f"{where}.{name}")


def _check_field(kind: Any, value: Any, where: str) -> None:  # noqa: ANN401 - a shape's name, a list of one, or types
    if isinstance(kind, str):
        _check(kind, value, where)
    elif isinstance(kind, list):
        assert isinstance(value, list), where
        for number, item in enumerate(value):
            _check(kind[0], item, f"{where}[{number}]")
    else:
        assert isinstance(value, kind), f"{where} is {value!r}"
        assert kind is bool or not isinstance(value, bool), where
