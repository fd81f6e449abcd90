"""What all connections of one worker share, made once."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modular_agents.proxy.config import Limits
from modular_agents.proxy.model.status import Trouble
from modular_agents.proxy.relay.counters import Counters
from modular_agents.proxy.relay.framing import ChunkSizes
from modular_agents.proxy.relay.headers import Heads
from modular_agents.proxy.relay.plan import Plans
from modular_agents.proxy.relay.tap import Tap
from modular_agents.proxy.relay.turn import Turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from modular_agents.proxy.relay.pool import Pool
    from modular_agents.proxy.relay.server import ClientConnection


@dataclass(slots=True)
class Shared:
    """Not frozen: `draining` turns True once, and the set of clients is a living one."""

    loop: "asyncio.AbstractEventLoop"
    limits: Limits
    plans: Plans
    requests: Heads
    turn: Turn
    tap: Tap
    pool: "Pool"
    counters: Counters
    worker_id: str
    token: bytes
    metrics: "Callable[[], str]"
    """Prometheus text with the counters of all workers added up."""
    troubles: "Callable[[], tuple[Trouble, ...]]"
    """What does not work behind the relay now."""
    keepalive_ns: int
    callers_pipe: int = -1
    """As in `RelaySettings`."""
    own_port: int = 0
    draining: bool = False
    clients: "set[ClientConnection]" = field(default_factory=set)
    sizes: ChunkSizes = field(default_factory=lambda: ChunkSizes(lenient=False))
