"""OpenTelemetry's own format: protobuf, a batch of spans after another. Batches joined are one message, so a file is one request body.

`TracesData` and `ExportTraceServiceRequest` are the same bytes: any OTLP/HTTP receiver takes the file as it is.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from modular_agents import __version__
from modular_agents.proxy.export.source import Source
from modular_agents.proxy.export.spans import Spans
from modular_agents.proxy.model.query import CallDetail

BATCH_SPANS = 512
BATCH_BYTES = 2 * 1024 * 1024
"""A batch ends at either: receivers refuse bodies of more than some 4 MB by default (gRPC's limit, kept by many)."""
REMEMBERED = 20_000
"""Traces whose agents were written."""
ASKING = 500
"""Calls whose answers are remembered for the tools that ran after them; more than most traces have open at once."""
SERVICE_NAME = "anton-proxy"


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans as a request body."""

    data: bytes
    spans: int


def write(source: Source) -> Iterator[bytes]:
    """Yield the file."""
    for batch in batches(source):
        yield batch.data


def batches(source: Source) -> Iterator[Batch]:
    """Yield what is exported, batch by batch."""
    asking: OrderedDict[str, CallDetail] = OrderedDict()
    traces: OrderedDict[str, None] = OrderedDict()

    spans = Spans(lambda call_id: asking.get(call_id) or source.look(call_id), content=source.with_content)
    waiting: list[Span] = []
    size = 0
    for detail in source.details():
        call = detail.call
        new = spans.of_call(detail)
        if call.tool_names:
            asking[call.call_id] = replace(detail, messages=(), system=(), tools=(), params="", partial=())
        if call.trace_id not in traces:
            traces[call.trace_id] = None
            around = source.trace(call.trace_id)
            new += spans.of_agents(around) if around else []
        while len(asking) > ASKING:
            asking.popitem(last=False)
        while len(traces) > REMEMBERED:
            traces.popitem(last=False)
        for span in new:
            bytes_more = span.ByteSize()
            if waiting and (len(waiting) >= BATCH_SPANS or size + bytes_more > BATCH_BYTES):
                yield pack(waiting)
                waiting, size = [], 0
            waiting.append(span)
            size += bytes_more
    if waiting:
        yield pack(waiting)


def pack(spans: Sequence[Span]) -> Batch:
    """Return spans as a request body."""
    named = {"service.name": SERVICE_NAME, "service.version": __version__}
    resource = Resource(attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in named.items()])
    scope = InstrumentationScope(name="anton-proxy", version=__version__)
    data = TracesData(resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=spans)])])
    return Batch(data.SerializeToString(), len(spans))
