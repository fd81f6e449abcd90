from modular_agents.proxy.model.chain import CHAIN_BYTES, ROOT, chain, extend


def digests(*words: str) -> list[bytes]:
    return [word.encode().ljust(16, b".") for word in words]


def test_a_history_is_its_prefix_and_one_more() -> None:
    one, two, three = chain(digests("a", "b", "c"))
    assert list(chain(digests("a", "b"))) == [one, two]
    assert extend(two, digests("c")[0]) == three
    assert extend(ROOT, digests("a")[0]) == one
    assert len(three) == CHAIN_BYTES


def test_order_and_place_matter() -> None:
    assert list(chain(digests("a", "b")))[-1] != list(chain(digests("b", "a")))[-1]
    assert list(chain([])) == []
    a = digests("a")[0]
    assert extend(ROOT, a) != extend(extend(ROOT, a), a)


def test_an_empty_digest_adds_nothing() -> None:
    one, two = chain(digests("a", "b"))
    assert list(chain([digests("a")[0], b"", digests("b")[0]])) == [one, one, two]
    assert extend(one, b"") == one
