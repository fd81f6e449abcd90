"""Every exception of the proxy, in one tree; the branch says whose fault it is.

    ProxyError
    ├─ UsageError            the person's: a flag, a setting or a path that cannot be used
    │  ├─ PortInUse
    │  ├─ AlreadyRunning     a second proxy on the same files
    │  ├─ StoreTooNew        the database was written by a later version
    │  ├─ NotRunning         what was asked for needs a running proxy
    │  └─ NotFound           nothing has that id
    ├─ ClientFault           the calling program's: a request that is not one clear HTTP request
    ├─ UpstreamFault         the provider's: refused, cut, timed out, or broke HTTP
    └─ OwnFault              ours
       ├─ JournalDamaged     a frame that does not check
       ├─ NotStored          the database does not take one call, for what that call holds
       ├─ StoreUnavailable   locked, full, gone: try again, nothing is lost meanwhile
       └─ StoreDamaged       the database file is corrupt: set aside, never deleted

Third-party exceptions are translated where they enter and travel no deeper.
Failure that belongs to the data (a body that is not JSON) is no exception but a value: `model.call.Unreadable`.
"""


class ProxyError(Exception):
    """Root of the tree. `str(error)` is one sentence that says what to do about it."""


class UsageError(ProxyError):
    """The person's: a flag, a setting or a path that cannot be used."""


class PortInUse(UsageError):
    """The address to listen on is taken."""


class AlreadyRunning(UsageError):
    """Another proxy holds the same journal."""


class StoreTooNew(UsageError):
    """The database was written by a later version of the proxy."""


class NotRunning(UsageError):
    """What was asked for needs a running proxy, and there is none."""


class NotFound(UsageError):
    """Nothing has that id, or there is no database yet."""


class ClientFault(ProxyError):
    """The calling program sent something that is not one clear HTTP request."""


class UpstreamFault(ProxyError):
    """The provider refused, cut, timed out or broke HTTP."""


class OwnFault(ProxyError):
    """Ours."""


class JournalDamaged(OwnFault):
    """A journal frame does not check."""


class NotStored(OwnFault):
    """The database does not take one call of a batch, for what that call holds."""

    def __init__(self, call_id: str) -> None:
        super().__init__(f"the database does not take call {call_id}")
        self.call_id = call_id


class StoreUnavailable(OwnFault):
    """The store is locked, full or gone; the journal keeps everything until it is back."""


class StoreDamaged(OwnFault):
    """The database file is corrupt; it is renamed and kept."""
