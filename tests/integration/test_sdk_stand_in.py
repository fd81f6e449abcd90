"""The stand-in provider is believed because the official SDKs take it for the real one, and because its bytes are counted."""

import time
from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai
from google.genai import types as genai_types
from tests.support import codings
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.script import Script

WEATHER = {"name": "weather", "input": {"city": "Žilina", "days": 3}}
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def chat_request(script: Script, *, stream: bool = False) -> bytes:
    body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"stream":%s}' % (b"true" if stream else b"false")
    return request_bytes("POST", "/v1/chat/completions", body, (("x-script", script.header()),))


def test_anthropic_whole_and_streamed_say_the_same(provider: ProviderServer) -> None:
    script = Script(text="Good day.", thinking="Hm.", tools=(WEATHER,), chunks=3)
    with anthropic.Anthropic(base_url=provider.url, api_key="sk-ant-dummy") as client:
        asked = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": HI, "extra_headers": {"x-script": script.header()}}
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
        assert client.messages.count_tokens(model="claude-opus-4-8", messages=HI).input_tokens > 0
        assert client.models.list().data[0].id == "claude-opus-4-8"
    for message in (whole, streamed):
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
        assert message.content[2].input == WEATHER["input"]
        assert message.stop_reason == "tool_use"
    assert whole.usage.output_tokens == streamed.usage.output_tokens


def test_openai_chat_responses_and_embeddings(provider: ProviderServer) -> None:
    script = Script(text="Good day.", tools=(WEATHER,), chunks=3)
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-dummy", default_headers={"x-script": script.header()}) as client:
        whole = client.chat.completions.create(model="gpt-4o-mini", messages=HI)
        chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=HI, stream=True, stream_options={"include_usage": True}))
        response = client.responses.create(model="gpt-5", input="hi")
        with client.responses.stream(model="gpt-5", input="hi") as stream:
            final = stream.get_final_response()
        vector = client.embeddings.create(model="text-embedding-3-small", input="hi").data[0].embedding
        assert [model.id for model in client.models.list()] == ["gpt-4o-mini", "gpt-5"]
    assert whole.choices[0].message.content == "Good day."
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Good day."
    assert chunks[-1].usage == whole.usage
    assert response.output_text == final.output_text == "Good day."
    assert final.output[1].arguments == '{"city":"Žilina","days":3}'
    assert vector == pytest.approx([0.1, -0.25, 3.5e-7])


def test_gemini_whole_and_streamed(provider: ProviderServer) -> None:
    options = genai_types.HttpOptions(base_url=provider.url, headers={"x-script": Script(text="Good day.").header()})
    client = genai.Client(api_key="dummy", http_options=options)
    whole = client.models.generate_content(model="gemini-2.5-flash", contents="hi")
    streamed = "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model="gemini-2.5-flash", contents="hi"))
    client.close()
    assert whole.text == streamed == "Good day."


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
def test_errors_are_what_the_sdk_expects(provider: ProviderServer, status: int, kind: type[anthropic.APIStatusError]) -> None:
    script = Script(status=status, retry_after="7")
    with anthropic.Anthropic(base_url=provider.url, api_key="sk-ant-dummy", max_retries=0) as client, pytest.raises(kind) as caught:
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": script.directive()}])
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id is not None


def test_retries_are_counted_and_then_succeed(provider: ProviderServer) -> None:
    script = Script(fail=(429, 529), retry_after="0.01", text="at last")
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-dummy", max_retries=2) as client:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": script.directive()}])
    assert answer.choices[0].message.content == "at last"
    assert [r.status for r in provider.requests] == [429, 529, 200]
    assert len({r.body for r in provider.requests}) == 1


def test_the_same_request_gets_the_same_bytes(provider: ProviderServer) -> None:
    answers = []
    for _ in range(2):
        with RawClient(provider.port) as client:
            client.send(chat_request(Script(close=True), stream=True))
            answers.append(client.read_to_end())
    assert answers[0] == answers[1]


def test_records_hold_the_exact_bytes_and_the_end_of_the_peer(provider: ProviderServer) -> None:
    sent = (
        b"POST /v1/x?a=%2F;b HTTP/1.1\r\nhOsT: h\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"
    )
    with RawClient(provider.port) as client:
        client.send(sent, step=1)
        client.read_response()
        (got,) = provider.wait_requests(1)
        assert got.head + got.wire_body == bytes(got.connection.received) == sent
        assert (got.body, got.trailers, got.target) == (b"abc", (("T", "v"),), "/v1/x?a=%2F;b")
        assert provider.ledger.open_connections == 1
    provider.wait_for(lambda: provider.ledger.open_connections == 0)


def test_a_stalled_answer_goes_on_when_released(provider: ProviderServer) -> None:
    with RawClient(provider.port) as client:
        client.send(chat_request(Script(stall_at=1), stream=True))
        client.read_until(b"\n\n\r\n")
        assert len(provider.requests[0].pieces) == 1
        provider.release()
        assert client.read_until(b"0\r\n\r\n").endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("rst", [False, True])
def test_cuts_are_exact(provider: ProviderServer, *, rst: bool) -> None:
    for script in (Script(cut_bytes=100, rst=rst), Script(cut_pieces=2, rst=rst)):
        with RawClient(provider.port) as client:
            client.send(chat_request(script, stream=True))
            response = client.read_response()
            assert not response.complete
            if script.cut_bytes and not rst:
                assert len(client.received) == 100
            if script.cut_pieces and not rst:
                assert len(response.chunks) == 2
            assert client.reset == rst


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("stream", [False, True])
def test_coded_answers_decode(provider: ProviderServer, encoding: str, *, stream: bool) -> None:
    with RawClient(provider.port) as client:
        client.send(chat_request(Script(encoding=encoding, text="x" * 400), stream=stream))
        response = client.read_response()
    assert response.header("content-encoding") == encoding
    assert b"xxxx" in codings.decode(encoding, response.body)


def test_odd_framings(provider: ProviderServer) -> None:
    with RawClient(provider.port) as client:
        client.send(chat_request(Script(informational=(103, 102))))
        assert client.read_response(skip_informational=False).status == 103
        assert client.read_response(skip_informational=False).status == 102
        assert client.read_response().complete
        client.send(chat_request(Script(status=204)))
        assert client.read_response().status == 204
        client.send(chat_request(Script(trailers=(("X-Sum", "1"),), drip=1)))
        assert client.read_response().trailers == [("X-Sum", "1")]
        client.send(chat_request(Script(framing="close", http="1.0")))
        assert client.read_response().complete
    with RawClient(provider.port) as client:
        client.send(chat_request(Script(raw="HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", close=True)))
        assert client.read_to_end().endswith(b"\r\n\r\nhi")


def test_expect_continue(provider: ProviderServer) -> None:
    provider.on(Script(expect="final", status=413), path="/v1/messages")
    with RawClient(provider.port) as client:
        client.send(b"POST /v1/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.read_response(skip_informational=False).status == 100
        client.send(b"ok")
        assert client.read_response().status == 200
    with RawClient(provider.port) as client:
        client.send(b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.read_response().status == 413


@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")  # the openai SDK's own use of websockets
@pytest.mark.parametrize("deflate", [False, True])
def test_responses_over_websocket(provider: ProviderServer, *, deflate: bool) -> None:
    provider.on(Script(text="Good day.", ws_deflate=deflate), path="/v1/responses")
    with (
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-dummy") as client,
        client.responses.connect() as connection,
    ):
        connection.response.create(model="gpt-5", input="hi")
        kinds = []
        for event in connection:
            kinds.append(event.type)
            if event.type == "response.completed":
                break
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert provider.requests[0].status == 101


def test_a_big_answer_waits_for_a_slow_reader(provider: ProviderServer) -> None:
    with RawClient(provider.port) as client:
        client.send(chat_request(Script(fill_bytes=30_000_000)))
        client.read_until(b"\r\n\r\n")
        request = provider.requests[0]
        deadline = time.monotonic() + 5
        while request.sent_bytes == 0 and time.monotonic() < deadline and request.finished_at is not None:
            time.sleep(0.01)
        assert request.finished_at is None
        client.sock.settimeout(30)
        client.read_exactly(30_000_000)
        provider.wait_for(lambda: request.finished_at is not None)
