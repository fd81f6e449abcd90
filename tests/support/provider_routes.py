"""Which dialect answers a request of the stand-in provider. Pure: a request and its script in, a `Reply` out."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.support.dialects import anthropic, gemini, ollama, openai, responses
from tests.support.replies import DATE, Headers, Reply, compact
from tests.support.script import Script

Answer = Callable[[dict[str, Any], Script, str], Reply]
Refusal = Callable[[int, Script, str], Reply]

_ROUTES: tuple[tuple[str, str, Answer, Refusal], ...] = (
    ("POST", r"/v1/messages", anthropic.messages, anthropic.error),
    ("POST", r"/v1/messages/count_tokens", anthropic.count, anthropic.error),
    ("POST", r"/v1/chat/completions", openai.chat, openai.error),
    ("POST", r"/v1/responses", responses.create, openai.error),
    ("POST", r"/v1/embeddings", openai.embeddings, openai.error),
    ("GET", r"/v1/models", openai.models, openai.error),
    ("POST", r"/v1(?:alpha|beta)?/models/[^/:]+:generateContent", gemini.generate, gemini.error),
    (
        "POST",
        r"/v1(?:alpha|beta)?/models/[^/:]+:streamGenerateContent",
        lambda r, s, i: gemini.generate(r, s, i, stream="array"),
        gemini.error,
    ),
    ("POST", r"/api/chat", lambda r, s, i: ollama.talk(r, s, i, chat=True), ollama.error),
    ("POST", r"/api/generate", lambda r, s, i: ollama.talk(r, s, i, chat=False), ollama.error),
    ("GET", r"/api/tags", ollama.tags, ollama.error),
)
BODILESS = {204, 304}


def read_json(body: bytes) -> object:
    """Return the JSON value of a body, or None."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def answer(method: str, target: str, headers: Headers, body: bytes, script: Script, status: int, seed: str) -> Reply:
    """Return what the provider says. `status` is the script's, or the one of this attempt."""
    reply = _dialect_answer(method, target, headers, body, script, status, seed)
    if script.body is not None:
        reply = Reply(status, reply.headers, (script.body.encode(),), reply.stream)
    if status in BODILESS:
        reply = Reply(status, tuple(h for h in reply.headers if h[0].lower() != "content-type"), ())
    return Reply(reply.status, reply.headers + script.headers, reply.pieces, reply.stream)


def _dialect_answer(method: str, target: str, headers: Headers, body: bytes, script: Script, status: int, seed: str) -> Reply:
    path, _, query = target.partition("?")
    document = read_json(body)
    request = document if isinstance(document, dict) else {}
    if path == "/v1/models" and any(name.lower() == "anthropic-version" for name, _ in headers):
        return anthropic.models(request, script, seed)
    if path.endswith(":streamGenerateContent") and "alt=sse" in query and status < 400:
        return gemini.generate(request, script, seed, stream="sse")
    for verb, pattern, good, bad in _ROUTES:
        if (method == verb or (method == "HEAD" and verb == "GET")) and re.fullmatch(pattern, path):
            return _choose(good, bad, request, script, status, seed)
    return _elsewhere(method, target, headers, body, status)


def _choose(good: Answer, bad: Refusal, request: dict[str, Any], script: Script, status: int, seed: str) -> Reply:
    if status >= 400:
        return bad(status, script, seed)
    reply = good(request, script, seed)
    return Reply(status, reply.headers, reply.pieces, reply.stream)


def _elsewhere(method: str, target: str, headers: Headers, body: bytes, status: int) -> Reply:
    """Echo what was received: the mirror in which transparency is seen."""
    if target == "/" and method == "HEAD":
        return Reply(status, (("Date", DATE),), ())
    seen = {
        "method": method,
        "target": target,
        "headers": [list(pair) for pair in headers],
        "body": body.decode("latin-1"),
    }
    return Reply(status, (("Date", DATE), ("Content-Type", "application/json")), (compact(seen),))
