"""Every member that Google's official SDK knows of a part and of a candidate: read, kept, and folded like the whole.

A release of the SDK with a new member fails here until it is said below what becomes of it.
"""

import json
import re
from collections.abc import Iterator

import pytest
from google.genai import types as sdk
from tests.support.sdk_types import Json, Sampler, comparable, dumps, fields, lost
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.wire.reader import read_call

KINDS = {
    "text": "text",
    "functionCall": "tool_use",
    "functionResponse": "tool_result",
    "inlineData": "document",
    "fileData": "document",
    "executableCode": "server_tool_use",
    "codeExecutionResult": "server_tool_result",
    "toolCall": "server_tool_use",
    "toolResponse": "server_tool_result",
    "audioTranscription": "audio",
}
"""The data members of a part: what it is."""
BESIDE = {
    "thought": "makes a text a thought",
    "thoughtSignature": "for the provider; a part that has nothing else is `other`",
    "partMetadata": "the client's own",
    "mediaResolution": "how media are looked at, as all below",
    "mediaProcessing": "",
    "videoMetadata": "",
    "audioMetadata": "",
    "documentMetadata": "",
    "spreadsheetMetadata": "",
    "speechMetadata": "",
}
"""Members that say something of a part's data; they stay in its raw JSON."""
CANDIDATE = {
    "content": "the answer",
    "citationMetadata": "server_tool_result",
    "groundingMetadata": "server_tool_result",
    "urlContextMetadata": "server_tool_result",
    "finishMessage": "other",  # why the answer ended, in words: neither said nor done
    "finishReason": "the call's finish reason",
    "index": "which answer",
    # Figures of the answer's making; they stay in the answer's bytes.
    "tokenCount": "",
    "avgLogprobs": "",
    "logprobsResult": "",
    "safetyRatings": "",
    "continuationToken": "",
}
UNREAD = frozenset(
    {
        # encoded media, MIME types, where a file is
        *("data", "mimeType", "fileUri", "mime_type", "file_uri"),
        # how a medium is looked at, when and by whom something was said
        *(name for name in BESIDE if name != "thought"),
        *(
            "words",
            "speakerLabel",
            "languageCode",
            "startOffset",
            "endOffset",
            "speaker_label",
            "language_code",
            "start_offset",
            "end_offset",
        ),
        *(re.sub(r"([A-Z])", r"_\1", name).lower() for name in BESIDE if name != "thought"),
        # of what was found: which of the answer's words it supports (they stand there), pages' insides, marks for maps and widgets
        *("groundingSupports", "searchEntryPoint", "retrievalMetadata", "googleMapsWidgetContextToken", "sourceFlaggingUris"),
        *(
            "domain",
            "placeId",
            "placeAnswerSources",
            "route",
            "ragChunk",
            "documentName",
            "license",
            "imageUri",
            "fileSearchStore",
            "customMetadata",
        ),
        *("mediaId",),
    }
)
SAMPLER = Sampler(
    {"FunctionResponsePart.fileData": ..., "partialArgs": ..., "willContinue": ..., "FunctionResponse.response": {"key": "response·0·"}}
)
GENERATE, STREAM = "/v1beta/models/gemini-2.5-flash:generateContent", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"


def snake(value: object) -> object:
    if isinstance(value, dict):
        return {re.sub(r"([A-Z])", r"_\1", name).lower(): snake(inner) for name, inner in value.items()}
    return [snake(inner) for inner in value] if isinstance(value, list) else value


def asked(part: object, role: str = "user") -> Message:
    call = read_call(exchange(dumps({"contents": [{"role": role, "parts": [part]}]}), None, target=GENERATE, upstream="gemini"))
    assert call.unreadable is None
    return call.messages[0]


def candidate(parts: list[Json], **beside: object) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0} | beside]}


def answered(body: Json) -> Call:
    return read_call(exchange("{}", dumps(body), target=GENERATE, upstream="gemini"))


def streamed(*objects: Json) -> Call:
    body = sse([(None, dumps(one).decode()) for one in objects])
    return read_call(exchange("{}", body, target=STREAM, upstream="gemini", content_type="text/event-stream"))


def samples(member: str) -> Iterator[Json]:
    """Return parts that have this one data member, in all the ways the SDK knows of it."""
    form = next(one for one in fields(sdk.Part)[member][0].__args__ if one is not type(None))
    for value in SAMPLER.variants(form) if hasattr(form, "model_fields") else ["text·0·"]:
        yield {member: value}


def test_every_member_of_a_part_is_known() -> None:
    assert fields(sdk.Part).keys() == KINDS.keys() | BESIDE.keys()


def test_every_member_of_a_candidate_is_known() -> None:
    assert fields(sdk.Candidate).keys() == CANDIDATE.keys()


@pytest.mark.parametrize("member", KINDS)
def test_every_part_of_a_request_in_both_spellings(member: str) -> None:
    for part in samples(member):
        for spelled in (part, snake(part)):
            message = asked(spelled)
            assert message.parts[0].kind == KINDS[member]
            assert message.parts[0].raw == dumps(spelled)
            assert lost(spelled, [message], UNREAD) == []
            value = part[member]
            if "tool" in KINDS[member]:
                name = "code_execution" if "ode" in member else value.get("name", value.get("toolType"))
                assert (message.parts[0].tool_id, message.parts[0].name) == (value["id"], name)


@pytest.mark.parametrize("member", KINDS)
def test_every_part_of_an_answer_whole_and_streamed(member: str) -> None:
    for part in samples(member):
        before, last = [{"text": "Be"}, {"text": "fore"}], {"finishReason": "STOP"}
        whole = answered(candidate([{"text": "Before", "thought": True}, part], **last))
        stream = streamed(*(candidate([text | {"thought": True}]) for text in before), candidate([part]), candidate([], **last))
        assert (whole.unreadable, stream.unreadable, stream.finish_reason) == (None, None, "STOP")
        assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
        assert json.loads(stream.answers[0].raw) == json.loads(whole.answers[0].raw)
        assert stream.answers[0].digest == whole.answers[0].digest


def test_what_stands_beside_data_changes_only_thoughts() -> None:
    for member in BESIDE:
        (part,) = asked({"text": "text"} | {member: SAMPLER.sample(sdk.Part)[member]}).parts
        assert (part.kind, part.text) == ("thinking" if member == "thought" else "text", "text")
    assert [part.kind for part in asked({"thoughtSignature": "AAAA"}).parts] == ["other"]


@pytest.mark.parametrize("member", [name for name, kind in CANDIDATE.items() if kind in {"server_tool_result", "other"}])
def test_what_stands_beside_an_answer_is_a_part(member: str) -> None:
    form = next(one for one in fields(sdk.Candidate)[member][0].__args__ if one is not type(None))
    for value in SAMPLER.variants(form) if hasattr(form, "model_fields") else ["finishMessage·0·"]:
        for call in (
            answered(candidate([{"text": "a"}], **{member: value})),
            streamed(candidate([{"text": "a"}]), candidate([], **{member: value})),
        ):
            first, part = call.answers[0].parts
            assert (first.kind, part.kind, part.name, part.raw) == ("text", CANDIDATE[member], member, dumps(value))
            assert lost(value, [Message("", (part,), b"", b"")], UNREAD) == []


def test_an_answer_that_ended_before_it_said_anything_says_why() -> None:
    call = answered({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "Malformed function call: print(f())"}]})
    assert [(part.kind, part.text) for part in call.answers[0].parts] == [("other", "Malformed function call: print(f())")]


@pytest.mark.parametrize(
    ("part", "is_error"),
    [
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, None),
        ({"codeExecutionResult": {"outcome": "OUTCOME_FAILED"}}, True),
        ({"codeExecutionResult": {"outcome": "OUTCOME_DEADLINE_EXCEEDED"}}, True),
        ({"functionResponse": {"name": "f", "response": {"error": "no such file"}}}, True),
        ({"functionResponse": {"name": "f", "response": {"output": "1"}}}, None),
        ({"functionResponse": {"name": "f", "response": {"error": None, "output": "1"}}}, None),
    ],
)
def test_results_that_say_they_failed(part: Json, is_error: bool | None) -> None:
    assert asked(part).parts[0].is_error is is_error


def test_outcomes_are_known() -> None:
    assert {one.value for one in sdk.Outcome} == {"OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"}


def test_pictures_inside_a_functions_response_follow_it() -> None:
    inner = [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"fileData": {"mimeType": "audio/wav", "fileUri": "gs://x"}}]
    message = asked({"functionResponse": {"id": "i", "name": "f", "response": {"output": "two"}, "parts": inner}})
    assert [(part.kind, part.tool_id, part.raw) for part in message.parts[1:]] == [
        ("image", "i", dumps(inner[0])),
        ("audio", "i", dumps(inner[1])),
    ]


def call_part(**call: object) -> Json:
    return candidate([{"functionCall": call}])


def test_arguments_that_come_value_by_value_are_one_call() -> None:
    """Vertex AI's `streamFunctionCallArguments`: see `FunctionCall.partial_args` in the SDK."""
    call = streamed(
        call_part(id="i", name="book", willContinue=True),
        call_part(partialArgs=[{"jsonPath": "$.city", "stringValue": "New ", "willContinue": True}], willContinue=True),
        call_part(partialArgs=[{"jsonPath": "$.city", "stringValue": "York"}], willContinue=True),
        call_part(
            partialArgs=[{"jsonPath": "$.days[0].n", "numberValue": 3}, {"jsonPath": "$.days[1]['n m']", "boolValue": False}],
            willContinue=True,
        ),
        call_part(partialArgs=[{"jsonPath": "$.note", "nullValue": "NULL_VALUE"}, {"jsonPath": "odd"}], willContinue=True),
        call_part(),
        call_part(name="stop", args={}),
        candidate([], finishReason="STOP"),
    )
    book, stop = call.answers[0].parts
    arguments = {"city": "New York", "days": [{"n": 3}, {"n m": False}], "note": None}
    assert (book.kind, book.tool_id, book.name, json.loads(book.arguments or "")) == ("tool_use", "i", "book", arguments)
    assert json.loads(book.raw) == {"functionCall": {"id": "i", "name": "book", "args": arguments}}
    assert (stop.kind, stop.name, stop.arguments) == ("tool_use", "stop", "{}")
    cut = streamed(call_part(name="f", partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}], willContinue=True))
    assert [(part.name, part.arguments) for part in cut.answers[0].parts] == [("f", '{"a":"x"}')]


@pytest.mark.parametrize("path", ["$" + ".a" * 9000, "$[999999][0]", "$['", "", "$.a.b", "$.a[0]"])
@pytest.mark.parametrize("value", [{"stringValue": {"a": [[[]]]}}, {"numberValue": [1]}, {"boolValue": True}, {}])
def test_hostile_pieces_of_arguments_give_a_call(path: str, value: Json) -> None:
    pieces = [{"jsonPath": path} | value, {"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": ["$"]}, 3]
    call = streamed(call_part(name="f", partialArgs=pieces, willContinue=True), call_part(partialArgs="odd"))
    assert call.unreadable is None
    assert [(part.kind, part.name) for part in call.answers[0].parts] == [("tool_use", "f")]


def test_every_member_of_a_piece_of_arguments_is_known() -> None:
    assert fields(sdk.PartialArg).keys() == {"jsonPath", "stringValue", "numberValue", "boolValue", "nullValue", "willContinue"}
