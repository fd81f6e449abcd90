from modular_agents.proxy.wire.ndjson import LineDecoder


def read(*pieces: bytes) -> list[bytes]:
    decoder = LineDecoder()
    return [line for piece in pieces for line in decoder.feed(piece)] + decoder.end()


def test_lines_however_they_are_cut() -> None:
    stream = b'{"a":1}\n\n  {"b":2}\r\n{"c":3}'
    lines = [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert read(stream) == lines
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == lines
    assert read() == []
