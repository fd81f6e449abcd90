"""What each process is told, made from the settings: pure."""

import socket
from collections.abc import Sequence

import msgspec

from modular_agents.proxy.config import SELF_TEST, DashboardSettings, OtlpSettings, RecorderSettings, RelaySettings, Settings, Upstream
from modular_agents.proxy.supervisor.child import Role
from modular_agents.proxy.supervisor.keys import Keys

RELAY, RECORDER, DASHBOARD, OTLP = "relay", "recorder", "dashboard", "otlp"


def relay_role(settings: Settings, keys: Keys, sockets: Sequence[socket.socket], echo_port: int, pipe: int = -1) -> Role:
    """Return what a relay worker is told. `echo_port`: where a self-test listens, taken as it is (`mend` would change raw targets).

    `pipe`: where it announces connections of this machine; -1: nowhere.
    """
    echo = Upstream(SELF_TEST, "http", "127.0.0.1", echo_port, mend=False)
    told = RelaySettings(
        upstreams=(*settings.upstreams, echo),
        default_upstream=settings.default_upstream,
        journal_dir=str(settings.journal_dir),
        fingerprint_key=keys.fingerprint_key,
        limits=settings.limits,
        durability=settings.durability,
        journal_cap_bytes=settings.journal_cap_bytes,
        control_dir=str(settings.control_dir),
        token=settings.token or "",
        callers_pipe=pipe,
    )
    return Role(RELAY, msgspec.json.encode(told), descriptors(sockets), settings.log_level, settings.log_format, _pipes(pipe))


def recorder_role(settings: Settings, keys: Keys, pipe: int = -1) -> Role:
    """Return what the recorder is told. `pipe`: where it hears of connections of this machine."""
    places = (str(settings.db), str(settings.journal_dir), str(settings.control_dir))
    told = RecorderSettings(*places, keys.fingerprint_key, settings.retention, settings.price_aliases, pipe)
    return Role(RECORDER, msgspec.json.encode(told), (), settings.log_level, settings.log_format, _pipes(pipe))


def dashboard_role(settings: Settings, keys: Keys, sockets: Sequence[socket.socket]) -> Role:
    """Return what the dashboard is told."""
    hosts = tuple(str(sock.getsockname()[0]) for sock in sockets)
    told = DashboardSettings(
        str(settings.db), hosts, port_of(sockets), keys.dashboard_token, str(settings.links_dir), settings.dashboard_names
    )
    return Role(DASHBOARD, msgspec.json.encode(told), descriptors(sockets), settings.log_level, settings.log_format)


def _pipes(pipe: int) -> tuple[int, ...]:
    return (pipe,) if pipe >= 0 else ()


def otlp_role(settings: Settings) -> Role:
    """Return what the live push to a collector is told."""
    told = OtlpSettings(str(settings.db), str(settings.otlp_file), settings.otlp_endpoint or "")
    return Role(OTLP, msgspec.json.encode(told), log_level=settings.log_level, log_format=settings.log_format)


def descriptors(sockets: Sequence[socket.socket]) -> tuple[int, ...]:
    """Return the descriptors of sockets that a child inherits."""
    return tuple(sock.fileno() for sock in sockets)


def port_of(sockets: Sequence[socket.socket]) -> int:
    """Return the port that all sockets of a server share."""
    return int(sockets[0].getsockname()[1])


def url_of(sockets: Sequence[socket.socket]) -> str:
    """Return the address a person can use: a wildcard is reached as this machine."""
    host = str(sockets[0].getsockname()[0])
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown, not bound
    return f"http://{shown}:{port_of(sockets)}"
