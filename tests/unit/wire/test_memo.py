from modular_agents.proxy.model.call import Message
from modular_agents.proxy.wire.memo import ENTRY_BYTES, MAX_BYTES, MAX_ENTRY_BYTES, Memo

MESSAGE = Message("user", (), b"", b"")


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    memo = Memo()
    size = MAX_ENTRY_BYTES
    keys = [("f", str(number).encode().ljust(size)) for number in range(2 * MAX_BYTES // size)]
    for key in keys:
        memo.put(key, MESSAGE)
        assert memo.get(keys[0]) is MESSAGE
    assert memo.get(keys[1]) is None
    assert memo.get(keys[-1]) is MESSAGE


def test_messages_of_a_few_words_are_kept_in_bounded_number() -> None:
    memo = Memo()
    sizes = []
    for number in range(50_000):
        memo.put(("f", b"%05d" % number), MESSAGE)
        sizes.append(len(memo))
    most = MAX_BYTES // (ENTRY_BYTES + 5)
    assert max(sizes) == most
    assert set(sizes[most:]) == {most}, "a full memory neither grows nor shrinks"


def test_a_message_that_is_put_again_counts_once() -> None:
    memo = Memo()
    for _ in range(3 * MAX_BYTES // MAX_ENTRY_BYTES):
        memo.put(("f", b"x" * MAX_ENTRY_BYTES), MESSAGE)
        memo.put(("f", b"y"), MESSAGE)
    assert len(memo) == 2


def test_large_messages_are_not_kept_and_formats_do_not_mix() -> None:
    memo = Memo()
    memo.put(("f", b"x" * (MAX_ENTRY_BYTES + 1)), MESSAGE)
    assert memo.get(("f", b"x" * (MAX_ENTRY_BYTES + 1))) is None
    memo.put(("f", b"x"), MESSAGE)
    assert memo.get(("g", b"x")) is None
