from modular_agents.proxy.model.call import Message
from modular_agents.proxy.wire.memo import ENTRY_BYTES, GENERATION_BYTES, MAX_ENTRY_BYTES, Memo

MESSAGE = Message("user", (), b"", b"")


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    memo = Memo()
    size = MAX_ENTRY_BYTES
    keys = [("f", str(number).encode().ljust(size)) for number in range(3 * GENERATION_BYTES // size)]
    for key in keys:
        memo.put(key, MESSAGE)
        assert memo.get(keys[0]) is MESSAGE
    assert memo.get(keys[1]) is None
    assert memo.get(keys[-1]) is MESSAGE


def test_messages_of_a_few_words_are_kept_in_bounded_number() -> None:
    memo = Memo()
    for number in range(200_000):
        memo.put(("f", b"%d" % number), MESSAGE)
    assert len(memo._young) + len(memo._old) <= 2 * GENERATION_BYTES // ENTRY_BYTES


def test_large_messages_are_not_kept_and_formats_do_not_mix() -> None:
    memo = Memo()
    memo.put(("f", b"x" * (MAX_ENTRY_BYTES + 1)), MESSAGE)
    assert memo.get(("f", b"x" * (MAX_ENTRY_BYTES + 1))) is None
    memo.put(("f", b"x"), MESSAGE)
    assert memo.get(("g", b"x")) is None
