from modular_agents.proxy.verify.difference import Difference, difference


def test_what_is_equal_has_no_difference() -> None:
    assert difference("up", b"same", b"same") is None


def test_the_first_byte_is_named_and_all_are_counted() -> None:
    assert difference("up", b"abcdef", b"abXdeY") == Difference("up", 2, "cdef", "XdeY", 2)


def test_what_is_missing_or_too_much_counts() -> None:
    assert difference("up", b"abc", b"a") == Difference("up", 1, "bc", "", 2)
    assert difference("up", b"", b"\r\n\xff") == Difference("up", 0, "", "\\r\\n\\xff", 3)
