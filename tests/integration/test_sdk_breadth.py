"""What else the official SDKs can do beside talking: files, batches, audio, pages, redirects, raw answers. The same both ways."""

import base64
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from tests.support.both_ways import failure, same_both_ways
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

NOISE = random.Random(7).randbytes(300_000)
"""What no text codec survives."""
MULTIPART = {"Content-Type": "multipart/form-data; boundary=anton-both-ways"}
"""A boundary that is the same both ways."""
ASKED = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}


@contextmanager
def claude(url: str, watch: Watch) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", max_retries=0, http_client=watch.sync_client()) as sdk:
        yield sdk


@contextmanager
def gpt(url: str, watch: Watch) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-dummy", max_retries=0, http_client=watch.sync_client()) as sdk:
        yield sdk


@contextmanager
def gemini(url: str, watch: Watch) -> Iterator[genai.Client]:
    with watch.sync_client() as http:
        yield genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=url, httpx_client=http))


def saying(document: object) -> dict[str, str]:
    """Return the header that makes the provider answer with a document."""
    return {"x-script": Script(body=json.dumps(document)).header()}


def sending(data: bytes, content_type: str, *, chunked: bool = False) -> Script:
    """Return what makes the provider answer with exactly these bytes."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
    body = b"".join(b"%x\r\n%b\r\n" % (len(data[at : at + 7000]), data[at : at + 7000]) for at in range(0, len(data), 7000)) + b"0\r\n\r\n"
    raw = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{framing}\r\n\r\n".encode() + (body if chunked else data)
    return Script(raw_base64=base64.b64encode(raw).decode())


def test_a_file_is_uploaded_byte_for_byte(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        named = ("žluť \u202e.pdf", NOISE, "application/pdf")
        with claude(url, watch) as sdk:
            said = saying({"id": "file_1", "type": "file", "filename": "x", "mime_type": "application/pdf", "size_bytes": 300_000})
            first = sdk.beta.files.upload(file=named, extra_headers=MULTIPART | said).model_dump()
        with gpt(url, watch) as sdk:
            said = saying({"id": "file-1", "object": "file", "bytes": 300_000, "filename": "x", "purpose": "user_data"})
            second = sdk.files.create(file=named, purpose="user_data", extra_headers=MULTIPART | said).model_dump()
        return (first, second)

    account = same_both_ways(provider, relay.url, scenario)
    assert all(NOISE in told.body for told in account.told)
    assert [told.target.split("?")[0] for told in account.told] == ["/v1/files", "/v1/files"]


@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_come_down_as_they_are(provider: ProviderServer, relay: RelayThread, *, chunked: bool) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(sending(NOISE, "application/octet-stream", chunked=chunked))
        with gpt(url, watch) as sdk:
            sound = sdk.audio.speech.create(model="tts", voice="alloy", input="hi")
            got = [sound.content, sdk.files.content("file-1").content]
        with claude(url, watch) as other:
            return [*got, other.beta.files.download("file_1").read()]

    assert same_both_ways(provider, relay.url, scenario).result == [NOISE] * 3


def test_speech_is_transcribed_and_streamed(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(sending(NOISE, "audio/mpeg", chunked=True), path="/v1/audio/speech")
        with gpt(url, watch) as sdk:
            said = MULTIPART | saying({"text": "Dobrý deň"})
            text = sdk.audio.transcriptions.create(model="whisper", file=("a.wav", NOISE), extra_headers=said)
            with sdk.audio.speech.with_streaming_response.create(model="tts", voice="alloy", input="x") as sound:
                return (text.text, b"".join(sound.iter_bytes(4096)))

    assert same_both_ways(provider, relay.url, scenario).result == ("Dobrý deň", NOISE)


def test_batches_and_their_results(provider: ProviderServer, relay: RelayThread) -> None:
    batch = {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "ended",
        "results_url": "/v1/messages/batches/msgbatch_1/results",
    }
    lines = b"".join(json.dumps({"custom_id": str(n), "result": {"type": "canceled"}}).encode() + b"\n" for n in range(500))

    def scenario(url: str, watch: Watch) -> object:
        with claude(url, watch) as sdk:
            made = sdk.messages.batches.create(requests=[{"custom_id": "1", "params": ASKED}], extra_headers=saying(batch))  # type: ignore[typeddict-item,list-item]
            provider.on(Script(body=json.dumps(batch)), path="/v1/messages/batches/msgbatch_1", when=lambda r: r.target.endswith("_1"))
            provider.on(sending(lines, "application/x-jsonl", chunked=True), when=lambda r: r.target.endswith("results"))
            found = [result.custom_id for result in sdk.messages.batches.results("msgbatch_1")]
        with gpt(url, watch) as sdk:
            other = sdk.batches.create(
                completion_window="24h",
                endpoint="/v1/responses",
                input_file_id="f",
                extra_headers=saying({"id": "batch_1", "object": "batch"}),
            )
        return (made.id, found, other.id)

    account = same_both_ways(provider, relay.url, scenario)
    assert account.result == ("msgbatch_1", [str(n) for n in range(500)], "batch_1")


def test_pages_are_followed(provider: ProviderServer, relay: RelayThread) -> None:
    def page(first: int, *, more: bool, **extra: object) -> Script:
        return Script(body=json.dumps({"data": [{"id": f"m{first + n}", "object": "x"} for n in range(2)], "has_more": more} | extra))

    def scenario(url: str, watch: Watch) -> object:
        later = page(3, more=False, last_id="m4")
        provider.on(page(1, more=True, last_id="m2"), when=lambda r: "after" not in r.target and r.header("x-goog-api-key") is None)
        provider.on(later, when=lambda r: "after" in r.target)
        models = {"models": [{"name": "models/a"}], "nextPageToken": "t"}
        provider.on(Script(body=json.dumps(models | {"nextPageToken": ""})), when=lambda r: "pageToken=t" in r.target)
        provider.on(Script(body=json.dumps(models)))
        with claude(url, watch) as one, gpt(url, watch) as two, gemini(url, watch) as three:
            return ([m.id for m in one.models.list()], [b.id for b in two.batches.list()], [m.name for m in three.models.list()])

    account = same_both_ways(provider, relay.url, scenario)
    assert account.result == (["m1", "m2", "m3", "m4"], ["m1", "m2", "m3", "m4"], ["models/a", "models/a"])


def test_counting_and_embedding(provider: ProviderServer, relay: RelayThread) -> None:
    vector = base64.b64encode(NOISE[:4096]).decode()

    def scenario(url: str, watch: Watch) -> object:
        provider.on(Script(body='{"totalTokens":7}'), when=lambda r: r.target.endswith("/models/g:countTokens"))
        provider.on(Script(body='{"embeddings":[{"values":[0.5,1]}]}'), when=lambda r: r.target.endswith(":batchEmbedContents"))
        with gemini(url, watch) as one, gpt(url, watch) as two:
            said = saying({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}], "model": "e"})
            return (
                one.models.count_tokens(model="g", contents="hi").total_tokens,
                one.models.embed_content(model="g", contents="hi").embeddings,
                two.embeddings.create(model="e", input=["x"], encoding_format="base64", extra_headers=said).data[0].embedding,
            )

    account = same_both_ways(provider, relay.url, scenario)
    assert isinstance(account.result, tuple)
    assert (account.result[0], account.result[2]) == (7, vector)


def test_raw_and_streaming_responses(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(Script(text="a b c " * 50, chunks=20, gap_ms=1))
        with claude(url, watch) as sdk:
            raw = sdk.messages.with_raw_response.create(**ASKED)  # type: ignore[arg-type]
            with sdk.messages.with_streaming_response.create(**ASKED, stream=True) as stream:  # type: ignore[arg-type]
                lines = list(stream.iter_lines())
        with gpt(url, watch) as other, other.responses.with_streaming_response.create(model="m", input="hi") as answer:
            text = answer.read()
        return (raw.http_response.content, lines, text, sorted(raw.headers))

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_passed_on_and_not_followed(provider: ProviderServer, relay: RelayThread, status: int) -> None:
    def scenario(url: str, watch: Watch) -> object:
        moved = Script(status=status, headers=(("Location", "/v1/elsewhere?x=1"),), body="moved")
        provider.on(moved, path="/v1/chat/completions")
        provider.on(Script(body='{"object":"chat.completion","choices":[]}'), path="/v1/elsewhere")
        with gpt(url, watch) as sdk:
            return sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}]).model_dump()

    account = same_both_ways(provider, relay.url, scenario)
    assert [seen[0] for seen in account.seen] == [status, 200], "the client followed it, with the method it chose"
    assert [told.method for told in account.told] == ["POST", "GET" if status in {301, 302, 303} else "POST"]


def test_a_client_that_does_not_follow_sees_the_redirect(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(Script(status=307, headers=(("Location", "https://elsewhere.example/v1"),), body=""))
        client = watch.sync_client()
        client.follow_redirects = False
        with anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", max_retries=0, http_client=client) as sdk:
            with pytest.raises(anthropic.APIStatusError) as caught:
                sdk.messages.create(**ASKED)  # type: ignore[call-overload]
            return (*failure(caught.value), caught.value.response.headers["location"])

    account = same_both_ways(provider, relay.url, scenario)
    assert len(account.told) == 1


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("DELETE", 204), ("GET", 304), ("PUT", 201), ("PATCH", 200), ("OPTIONS", 200)]
)
def test_other_methods_and_answers_without_a_body(provider: ProviderServer, relay: RelayThread, method: str, status: int) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(Script(status=status, headers=(("ETag", '"x"'), ("X-Twice", "1"), ("x-twice", "2"))))
        with watch.sync_client() as http:
            body = b"{}" if method in {"PUT", "PATCH"} else None
            answers = [http.request(method, f"{url}/v1/files/file-1", headers={"If-None-Match": '"x"'}, content=body) for _ in range(3)]
            return [(answer.status_code, answer.content, answer.headers.get_list("x-twice")) for answer in answers]

    same_both_ways(provider, relay.url, scenario)
    assert len({request.connection.number for request in provider.requests}) == 1, (
        "each ended where it should: the connection was used again"
    )


def test_a_timeout_of_the_sdk_is_the_sdks(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        provider.on(Script(stall_at=-1))
        with gpt(url, watch) as sdk, pytest.raises(openai.APITimeoutError) as caught:
            sdk.with_options(timeout=2).responses.create(model="m", input="hi")
        return failure(caught.value)

    same_both_ways(provider, relay.url, scenario)
    provider.wait_for(lambda: provider.requests[0].connection.gone_at, 30)


def test_a_huge_header_of_a_client_and_of_a_provider(provider: ProviderServer, relay: RelayThread) -> None:
    beta = ",".join(f"feature-{n}-2026-01-01" for n in range(2000))

    def scenario(url: str, watch: Watch) -> object:
        headers = tuple((f"x-meta-{n}", "v" * 400) for n in range(90))
        with claude(url, watch) as sdk:
            raw = sdk.messages.with_raw_response.create(
                **ASKED, extra_headers={"anthropic-beta": beta, "x-script": Script(headers=headers).header()}
            )  # type: ignore[arg-type]
            return len(raw.headers)

    account = same_both_ways(provider, relay.url, scenario)
    assert dict(account.told[0].headers)["anthropic-beta"] == beta
