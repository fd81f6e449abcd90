"""Laws of storing: a row comes back as it was put, a body byte for byte, a message once; what nobody names is gone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import stored
from tests.support.stored import Given, put_all

from modular_agents.proxy.model.call import Message, Part, Status
from modular_agents.proxy.model.query import CallFilter, MessageView, PartView
from modular_agents.proxy.ports import Reader, Store
from modular_agents.proxy.store import reading, recipe, terms, zstd
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.sampled_from(
    ["", '"\\', "naïve ☃ \U0001f600", "a\x00b", "x" * 3000]
)
NUMBERS = count(1)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message with parts whose text stands in its raw JSON somehow, or nowhere."""
    parts = []
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "tool_use", "tool_result", "image", "other"]), max_size=4)):
        text, ascii_only = draw(TEXT), draw(st.booleans())
        arguments = json.dumps({"a": draw(TEXT)}, ensure_ascii=ascii_only) if kind == "tool_use" else None
        block = {"type": kind, "text": text, "input": arguments if draw(st.booleans()) else {"a": 1}}
        raw = json.dumps(block, ensure_ascii=ascii_only).encode()
        flattened = draw(st.booleans()) and kind == "tool_result"
        parts.append(
            Part(
                kind,
                text + "\n" + draw(TEXT) if flattened else text,
                draw(st.none() | TEXT),
                draw(st.none() | TEXT),
                arguments,
                draw(st.none() | st.booleans()),
                raw,
            )
        )
    separator = draw(st.sampled_from([b",", b", ", b" ,\n\t"]))
    role = draw(st.sampled_from(["user", "assistant", "tool", "system"]))
    body = separator.join(part.raw for part in parts)
    unique = f'"n":{next(NUMBERS)}'.encode()
    return Message(role, tuple(parts), b'{"role":"%b",%b,"content":[%b]}' % (role.encode(), unique, body), b"d" * 16)


def shown(message: Message) -> tuple[str, tuple[PartView, ...]]:
    return message.role, tuple(
        PartView(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.decode()) for part in message.parts
    )


def told(views: tuple[MessageView, ...]) -> list[tuple[str, tuple[PartView, ...]]]:
    return [(view.role, view.parts) for view in views]


@given(messages())
def test_a_reading_gives_back_the_parts(message: Message) -> None:
    view = reading.decode(message.raw, reading.encode(message), "n")
    assert (view.role, view.parts) == shown(message)


@given(st.text(), st.binary(max_size=50), st.text(max_size=20))
def test_a_reading_of_anything_gives_back_the_text(text: str, raw: bytes, name: str) -> None:
    message = Message("user", (Part("other", text, None, name, text, None, raw),), raw + b" ", b"")
    (part,) = reading.decode(message.raw, reading.encode(message), "n").parts
    fit = text.encode("utf-8", "replace").decode()
    assert (part.text, part.arguments, part.raw) == (fit, fit, raw.decode("utf-8", "replace"))


@given(
    st.lists(messages(), max_size=4),
    st.lists(messages(), max_size=2),
    st.lists(st.binary(min_size=1, max_size=20).map(lambda data: json.dumps(data.hex()).encode()), max_size=3),
    st.sampled_from([b",", b", ", b",\n  "]),
    st.permutations("mst"),
    st.binary(max_size=20),
)
def test_a_recipe_rebuilds_the_body_or_is_none(
    said: list[Message], system: list[Message], tools: list[bytes], separator: bytes, order: list[str], noise: bytes
) -> None:
    groups = {"m": [entry.raw for entry in said], "s": [entry.raw for entry in system], "t": tools}
    body = b'{"model":"m"' + b"".join(b',"%b":[%b]' % (name.encode(), separator.join(groups[name])) for name in order) + b"}" + noise
    made = recipe.make(body, groups)
    if made is None:
        assert not any(groups.values()) or noise
    else:
        assert recipe.rebuild(made, groups) == body


@given(st.binary(max_size=300), st.lists(st.binary(min_size=1, max_size=8), max_size=4))
def test_a_recipe_of_anything_rebuilds_it(body: bytes, raws: list[bytes]) -> None:
    groups = {"m": raws, "s": raws[:1], "t": raws[1:]}
    made = recipe.make(body, groups)
    assert made is None or recipe.rebuild(made, groups) == body


@given(st.binary(max_size=3000) | st.binary(max_size=10).map(lambda data: data * 20_000))
def test_compression_gives_back_every_byte(data: bytes) -> None:
    assert zstd.unpack(zstd.pack(data)) == data


@given(st.text(max_size=100))
def test_any_query_is_terms_that_match_themselves(query: str) -> None:
    found = terms.parse(query)
    assert all(word == terms.fold(word) for term in found for word in term.words)
    if found:
        assert terms.matches(found, (query,))


class Engines:
    """One store of each kind, kept for all examples of a test."""

    def __init__(self, folder: str) -> None:
        memory, path = MemoryStore(), Path(folder) / "traces.db"
        self.sqlite = SqliteStore(path)
        self.pairs: dict[str, tuple[Store, Reader]] = {"memory": (memory, memory.reader()), "sqlite": (self.sqlite, SqliteReader(path))}


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with TemporaryDirectory() as folder:
        made = Engines(folder)
        yield made
        for store, reader in made.pairs.values():
            reader.close()
            store.close()


@pytest.mark.parametrize("name", ["memory", "sqlite"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    said=st.lists(messages(), min_size=1, max_size=4),
    system=st.lists(messages(), max_size=2),
    answer=messages(),
    body=st.none() | st.binary(max_size=200),
    status=st.sampled_from([Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED]),
    text=TEXT,
    both=st.booleans(),
)
def test_a_call_comes_back_as_it_was_put(
    engines: Engines,
    name: str,
    said: list[Message],
    system: list[Message],
    answer: Message,
    body: bytes | None,
    status: Status,
    text: str,
    both: bool,
) -> None:
    store, reader = engines.pairs[name]
    call = stored.given(next(NUMBERS), messages=said, system=system, body=body, model=text, agent=text, thread=text, trace=text or "t")
    call = replace(call, call=replace(call.call, params=json.dumps({"p": text}).encode()))
    final = call.finished(answer, status=status)
    final = replace(final, call=replace(final.call, answers=(answer,), finish_reason=text))
    put_all(store, *([call] if both else []), final)
    detail, raw = reader.call(call.call_id), reader.raw(call.call_id)
    assert detail is not None
    assert raw is not None
    assert told(detail.messages) == [shown(entry) for entry in said]
    assert told(detail.system) == [shown(entry) for entry in system]
    assert told(detail.answers) == [shown(answer)]
    assert detail.params == json.dumps({"p": text})
    assert (detail.call.model, detail.call.agent_name, detail.call.thread_id) == (text, text, text)
    assert (detail.call.status, detail.call.finish_reason) == (status, text)
    assert (detail.request_id, detail.response_id) == (final.call.request_id, final.call.response_id)
    assert raw.request_body == final.exchange.request.body
    assert final.exchange.response is not None
    assert raw.response_body == final.exchange.response.body
    assert (raw.request_headers, raw.response_headers) == (final.exchange.request.headers, final.exchange.response.headers)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=12))
def test_both_engines_tell_the_same(plan: list[tuple[int, int, int, bool]]) -> None:
    """Calls at random times, in random traces and threads, running and ended, in batches: every list and row is the same."""
    with TemporaryDirectory() as folder:
        made = Engines(folder)
        calls: list[Given] = []
        for number, (at, trace, thread, ends) in enumerate(plan):
            parent = calls[at % len(calls)] if calls and thread else None
            call = stored.given(
                number,
                at_ms=at * 1000,
                trace=f"tr-{trace}",
                thread=f"th-{trace}-{thread}",
                parent=parent,
                task=None if thread else f"task {number}",
                agent=f"agent {at}" if thread == 1 else None,
            )
            calls.append(call)
            if ends:
                calls.append(
                    call.finished(f"answer {number}", status=list(Status)[1 + at % 4], usd=None if at == 3 else at / 4, after_ms=at * 700)
                )
        seen = []
        for store, reader in made.pairs.values():
            for start in range(0, len(calls), 3):
                put_all(store, *calls[start : start + 3])
            store.tidy()
            seen.append(answers(reader))
            reader.close()
            store.close()
        assert seen[0] == seen[1]


def answers(reader: Reader) -> list[object]:
    """All that a reader tells of calls and traces."""
    traces = reader.traces(CallFilter(), None, 100).items
    found: list[object] = [traces, reader.calls(CallFilter(), None, 100).items]
    for row in traces:
        detail = reader.trace(row.trace_id)
        assert detail is not None
        found += [detail.trace, detail.calls, detail.edges]
    for text in ("answer", "question 3", "agent"):
        found.append([row.call_id for row in reader.calls(CallFilter(text=text), None, 100).items])
        found.append([row.trace_id for row in reader.traces(CallFilter(text=text), None, 100).items])
    return found
