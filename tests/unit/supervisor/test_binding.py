import pytest

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.supervisor.binding import check_exposure, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "traces.example", ""])  # noqa: S104 - nothing is bound
def test_anything_wider_needs_one_and_is_told_why(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match=r"spend your keys.*ANTON_TOKEN"):
        check_exposure(host, None)
    with pytest.raises(UsageError):
        check_exposure(host, "")
    check_exposure(host, "dummy-token")
