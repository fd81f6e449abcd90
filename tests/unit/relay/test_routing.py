"""Prefix > header shape > path > connection > default; known paths mended, every other target raw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.relay_in_memory import UPSTREAMS

from modular_agents.proxy.config import Upstream
from modular_agents.proxy.relay.fields import SHAPE_ANTHROPIC, SHAPE_BEARER, SHAPE_GOOGLE
from modular_agents.proxy.relay.routing import EmptyPrefix, NoRoute, Router

ALL = (
    *UPSTREAMS,
    Upstream("openrouter", "https", "openrouter.ai", 443, "/api"),
    Upstream("codex", "https", "chatgpt.com", 443, "/backend-api/codex", mend=False),
    Upstream("vllm", "http", "::1", 8001),
)
ROUTER = Router(ALL, "openai")


@pytest.mark.parametrize(
    ("target", "shape", "upstream", "sent"),
    [
        ("/v1/messages", 0, "anthropic", "/v1/messages"),
        ("/v1/messages?beta=true", 0, "anthropic", "/v1/messages?beta=true"),
        ("/v1/messages/count_tokens", 0, "anthropic", "/v1/messages/count_tokens"),
        ("/v1/v1/messages?beta=true", 0, "anthropic", "/v1/messages?beta=true"),
        ("/messages", 0, "anthropic", "/v1/messages"),
        ("/v1/complete", 0, "anthropic", "/v1/complete"),
        ("/v1/completions", 0, "openai", "/v1/completions"),
        ("/v1/chat/completions", 0, "openai", "/v1/chat/completions"),
        ("/chat/completions", 0, "openai", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", 0, "openai", "/v1/chat/completions"),
        ("/v1/v1/responses/resp_1/input_items", 0, "openai", "/v1/responses/resp_1/input_items"),
        ("/v1/models", SHAPE_BEARER, "openai", "/v1/models"),
        ("/v1/models", SHAPE_ANTHROPIC, "anthropic", "/v1/models"),
        ("/v1/models", 0, "openai", "/v1/models"),
        ("/v1/chat/completions", SHAPE_ANTHROPIC, "anthropic", "/v1/chat/completions"),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", 0, "gemini", "/v1beta/models/g:streamGenerateContent?alt=sse"),
        ("/v1/models/g:generateContent", 0, "gemini", "/v1/models/g:generateContent"),
        ("/v1/models/g:batchEmbedContents?key=x", 0, "gemini", "/v1/models/g:batchEmbedContents?key=x"),
        ("/v1/models/ft:gpt-4o:org::abc", SHAPE_BEARER, "openai", "/v1/models/ft:gpt-4o:org::abc"),
        ("/v1beta/openai/chat/completions", SHAPE_BEARER, "gemini", "/v1beta/openai/chat/completions"),
        ("/anything", SHAPE_GOOGLE, "gemini", "/anything"),
        ("/api/chat", 0, "ollama", "/api/chat"),
        ("/", 0, "openai", "/"),
        ("/messagesx", 0, "openai", "/messagesx"),
        ("/v1/v1/unknown", 0, "openai", "/v1/v1/unknown"),
        ("/v2/messages", 0, "openai", "/v2/messages"),
        ("/v1/a%2Fb//c/..%2f;x?a=&a=&", 0, "openai", "/v1/a%2Fb//c/..%2f;x?a=&a=&"),
        ("/u/openrouter/v1/chat/completions", SHAPE_ANTHROPIC, "openrouter", "/api/v1/chat/completions"),
        ("/u/openrouter/chat/completions", 0, "openrouter", "/api/v1/chat/completions"),
        ("/u/codex/responses", 0, "codex", "/backend-api/codex/responses"),
        ("/u/codex/v1/v1/responses", 0, "codex", "/backend-api/codex/v1/v1/responses"),
        ("/u/ollama", 0, "ollama", "/"),
        ("/u/ollama?a=b", 0, "ollama", "/?a=b"),
        ("/u/ollama/t/x/api/tags", 0, "ollama", "/api/tags"),
        ("/tx/v1/messages", 0, "openai", "/tx/v1/messages"),
    ],
)
def test_where_it_goes(target: str, shape: int, upstream: str, sent: str) -> None:
    route = ROUTER.find(target.encode(), shape, None)
    assert (route.destination.name, route.target.decode()) == (upstream, sent)


def test_prefixes_in_any_order_and_unquoted() -> None:
    for target in ("/t/tr%20ace/a/pl/u/vllm/v1/models", "/u/vllm/a/pl/t/tr%20ace/v1/models", "/a/pl/u/vllm/t/tr%20ace/v1/models"):
        route = ROUTER.find(target.encode(), 0, None)
        assert (route.trace, route.agent, route.destination.name, route.target) == ("tr ace", "pl", "vllm", b"/v1/models")
    route = ROUTER.find(b"/t/%00%0a%1b/v1/messages", 0, None)
    assert route.trace == ""


def test_the_connection_remembers_where_it_spoke_to() -> None:
    before = ROUTER.find(b"/v1/messages", 0, None).destination
    assert ROUTER.find(b"/", 0, before).destination is before
    assert ROUTER.find(b"/v1/models", 0, before).destination is before
    assert ROUTER.find(b"/v1/embeddings", 0, before).destination.name == "openai"


def test_an_unknown_upstream_is_no_route_and_says_which_there_are() -> None:
    with pytest.raises(NoRoute, match="openrouter"):
        ROUTER.find(b"/u/evil.example/v1/models", 0, None)


@pytest.mark.parametrize("target", [b"/t//v1/messages", b"/t/", b"/a//v1/x", b"/u//v1/x", b"/t/run/a//v1/messages", b"/t/?x=1"])
def test_a_prefix_that_names_nothing_is_refused_and_not_passed_on(target: bytes) -> None:
    with pytest.raises(EmptyPrefix, match=r"without a name behind it") as found:
        ROUTER.find(target, 0, None)
    assert (found.value.status, found.value.code) == (400, "empty_prefix")


def test_what_only_looks_like_a_prefix_goes_on() -> None:
    assert ROUTER.find(b"/t", 0, None).target == b"/t"
    assert ROUTER.find(b"/v1/t//x", 0, None).target == b"/v1/t//x"
    assert ROUTER.find(b"/t/run//v1//messages", 0, None).target == b"//v1//messages"


def test_the_host_the_provider_sees() -> None:
    assert ROUTER.find(b"/u/vllm/x", 0, None).destination.host_line == b"[::1]:8001"
    assert ROUTER.find(b"/v1/messages", 0, None).destination.host_line == b"api.anthropic.com"


def test_errors_speak_the_clients_dialect() -> None:
    assert ROUTER.find(b"/v1/messages", 0, None).dialect == "anthropic"
    assert ROUTER.find(b"/u/vllm/v1/messages", 0, None).dialect == "anthropic"
    assert ROUTER.find(b"/v1beta/models/x:generateContent", 0, None).dialect == "gemini"
    assert ROUTER.find(b"/v1/responses", 0, None).dialect == "openai"


def test_oauth_endpoints_are_private() -> None:
    for target in (b"/v1/oauth/token", b"/api/oauth/profile", b"/oauth2/v4/token?x=1"):
        assert ROUTER.find(target, 0, None).private
    for target in (b"/v1/messages", b"/v1/oauthority", b"/v1/messages?next=/oauth/"):
        assert not ROUTER.find(target, 0, None).private


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40), st.integers(0, 7))
def test_only_configured_upstreams_and_never_an_empty_target(text: str, shape: int) -> None:
    try:
        route = ROUTER.find(f"/{text}".encode(), shape, None)
    except (NoRoute, EmptyPrefix):
        return
    assert route.destination.upstream in ALL
    assert route.target.startswith(b"/")
