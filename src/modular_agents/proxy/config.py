"""Settings: frozen values. They come from flags > environment > file > defaults; reading those is the CLI's business, nobody else's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modular_agents.proxy.model.status import TROUBLES_NAME

PROXY_PORT = 8000
DASHBOARD_PORT = 3000

SELF_TEST = "anton-verify"
"""Name of the upstream that every running proxy keeps for `anton proxy verify`: a loopback port of its own on which nobody listens else."""

DEFAULT_UPSTREAMS: dict[str, str] = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "ollama": "http://127.0.0.1:11434",
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider that may be contacted. `prefix` is a path before the target, without a trailing `/v1` or slash."""

    name: str
    scheme: str
    host: str
    port: int
    prefix: str = ""
    mend: bool = True
    """Add a missing `/v1` before paths known to need it. False for a URL written with a path and no `/v1` (azure, codex)."""

    @property
    def url(self) -> str:
        """Scheme, host, port (when not the scheme's own) and prefix."""
        usual = {"http": 80, "https": 443}[self.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == usual else f':{self.port}'}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of the relay, with its unit in its name. Reasons: docs/operations.md."""

    request_head_s: float = 10.0
    connect_s: float = 10.0
    first_byte_s: float = 600.0
    stream_silence_s: float = 900.0
    vanished_s: float = 120.0
    client_keepalive_s: float = 75.0
    upstream_keepalive_s: float = 15.0
    drain_s: float = 120.0
    backlog: int = 4096
    request_line_bytes: int = 16 * 1024
    head_bytes: int = 128 * 1024
    head_fields: int = 200
    chunk_line_bytes: int = 256
    trailer_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024 * 1024
    recorded_body_bytes: int = 16 * 1024 * 1024
    """Per direction: more passes on but is not recorded; true size and SHA-256 are."""
    recorded_tunnel_bytes: int = 64 * 1024 * 1024
    """The same for a WebSocket, which carries many turns."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What the database keeps: calls younger than `max_age_s`, and no more than `max_bytes` of file; None: no limit."""

    max_age_s: float | None = 30 * 24 * 3600.0
    max_bytes: int | None = 5 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """What one relay worker needs. Plain values only: it crosses to the worker process as JSON."""

    upstreams: tuple[Upstream, ...]
    default_upstream: str
    journal_dir: str
    fingerprint_key: str
    """Hex; keys the 8-hex fingerprints that stand in for secrets."""
    limits: Limits = field(default_factory=Limits)
    durability: str = "group"
    """`group`: fsync every `fsync_interval_s`; `full`: wait for it; `none`: leave it to the kernel."""
    fsync_interval_s: float = 0.2
    journal_cap_bytes: int = 10 * 1024 * 1024 * 1024
    segment_bytes: int = 64 * 1024 * 1024
    control_dir: str = ""
    """Where each worker keeps its counters (`relay.counters`), so that any of them can add up all for `/-/metrics`."""
    token: str = ""
    """When set, every request must bring it as `X-Anton-Token` (hosts wider than loopback)."""
    callers_pipe: int = -1
    """Descriptor of the inherited pipe by which it announces connections of this machine; -1: nobody wants to know."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """What the recorder needs. Plain values only, as above."""

    db: str
    journal_dir: str
    control_dir: str
    """Where it leaves its report (`recorder.report`)."""
    fingerprint_key: str
    """Hex; as in `RelaySettings`."""
    retention: Retention = field(default_factory=Retention)
    price_aliases: Mapping[str, str] = field(default_factory=dict)
    """As in `Settings`."""
    callers_pipe: int = -1
    """Descriptor of the pipe by which it hears of them; as above."""


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """What the dashboard needs. Plain values only, as above."""

    db: str
    hosts: tuple[str, ...]
    """Addresses it was bound to."""
    port: int
    token: str
    """Bearer token, and key of its cookies."""
    links_dir: str
    """Where one-time links wait to be used."""
    names: tuple[str, ...] = ()
    """Further names it answers to, as in `Settings`."""


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """What the live push to a collector needs. Plain values only, as above; keys come from the environment."""

    db: str
    standing: str
    """The file in which it keeps how it stands."""
    endpoint: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `anton proxy start` runs with."""

    db: Path
    host: str = "127.0.0.1"
    port: int = PROXY_PORT
    workers: int = 1
    dashboard: bool = False
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = DASHBOARD_PORT
    dashboard_names: tuple[str, ...] = ()
    """Further names the dashboard answers to, each as a whole Host header (`traces.example:3000`)."""
    token: str | None = None
    """Required when `host` is wider than loopback: clients then send it as `X-Anton-Token`."""
    upstreams: tuple[Upstream, ...] = ()
    default_upstream: str = "openai"
    limits: Limits = field(default_factory=Limits)
    durability: str = "group"
    journal_cap_bytes: int = 10 * 1024 * 1024 * 1024
    keep_days: int = 30
    """Older calls are deleted; 0: kept for ever."""
    keep_bytes: int = 5 * 1024 * 1024 * 1024
    """The oldest calls of a larger database are deleted; 0: no limit."""
    price_aliases: Mapping[str, str] = field(default_factory=dict)
    """A model's name → `model` or `provider/model` of the price catalogue, for names the catalogue does not know."""
    client_identity: bool = True
    """Ask the operating system which process of this machine makes each connection."""
    otlp_endpoint: str | None = None
    """An OpenTelemetry collector to which every call is sent when it has ended; None: nowhere."""
    log_level: str = "info"
    log_format: str = "text"
    """`text` or `json`: a JSON object per line on stderr."""

    @property
    def retention(self) -> Retention:
        """What the database keeps."""
        return Retention(self.keep_days * 24 * 3600.0 or None, self.keep_bytes or None)

    @property
    def journal_dir(self) -> Path:
        """Segment files and worker locks; beside the database."""
        return self.db.with_name(self.db.name + ".journal")

    @property
    def runtime_file(self) -> Path:
        """Ports, pids and the control token of a running proxy (0600), by which other commands find it."""
        return self.db.with_name(self.db.name + ".runtime.json")

    @property
    def dashboard_file(self) -> Path:
        """Address and pid of a dashboard that runs without a proxy (0600), by which `anton proxy link` finds it."""
        return self.db.with_name(self.db.name + ".dashboard.json")

    @property
    def links_dir(self) -> Path:
        """One file for each one-time link to the dashboard that nobody has used yet (0700)."""
        return self.db.with_name(self.db.name + ".links")

    @property
    def control_dir(self) -> Path:
        """Counters of the workers and the recorder's report (0700)."""
        return self.db.with_name(self.db.name + ".control")

    @property
    def otlp_file(self) -> Path:
        """How the live push to a collector stands (0600)."""
        return self.control_dir / "otlp.json"

    @property
    def troubles_file(self) -> Path:
        """What does not work now, in words, for status, health and page; not there while all is well."""
        return self.control_dir / TROUBLES_NAME

    @property
    def secrets_file(self) -> Path:
        """Fingerprint key and dashboard token (0600), made once."""
        return self.db.with_name(self.db.name + ".secrets.json")
