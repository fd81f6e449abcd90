"""The table itself: what a case allows to differ is what the documents allow, and nothing else."""

import gzip
import sys

import brotli
import pytest

from modular_agents.proxy.verify import cases
from modular_agents.proxy.verify.cases import Case, Way, table

if sys.version_info >= (3, 14):
    from compression.zstd import decompress
else:
    from backports.zstd import decompress

WAY = Way(b"/t/x/u/anton-verify", b"127.0.0.1:8000", b"127.0.0.1:9", (b"X-Anton-Token: dummy",))
TABLE = table(WAY)
HOPS = (b"connection", b"keep-alive", b"x-hop")


def test_names_and_targets_are_unique() -> None:
    assert len({case.name for case in TABLE}) == len({case.target for case in TABLE}) == len(TABLE) > 30


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_request_arrives_as_it_was_sent_but_for_what_is_ours(case: Case) -> None:
    first = case.steps[0]
    (line, *sent), (start, *arrives) = first.sent.split(b"\r\n"), first.arrives.split(b"\r\n")
    assert line.replace(WAY.prefix, b"", 1) == start
    sent = [WAY.echo_host.join(one.split(WAY.host)) for one in sent if one not in WAY.own]
    gone = [one for one in sent if one not in arrives]
    assert [one for one in sent if one in arrives] == arrives
    assert all(one.partition(b":")[0].lower() in HOPS for one in gone)
    assert not gone or case.target == b"/hop"


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_all_that_follows_arrives_as_it_was_sent(case: Case) -> None:
    for step in case.steps[1:]:
        told = b"Connection: close\r\n" if case.target == b"/until-close" and step.sent.startswith(b"HTTP/") else b""
        assert len(step.arrives) == len(step.sent) + len(told)
        assert step.arrives.replace(told, b"", 1) == step.sent


def test_compressed_bodies_are_real() -> None:
    text = cases._TEXT
    assert gzip.decompress(cases._GZIP) == decompress(cases._ZSTD) == brotli.decompress(cases._BROTLI) == text
