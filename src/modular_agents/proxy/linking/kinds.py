"""Not every call is a turn of an agent: helpers and probes are told apart by what they ask for, so that they can be folded away."""

from modular_agents.proxy.linking.identity import Identity
from modular_agents.proxy.model.call import Call

_OPERATIONS = {"count_tokens": "count", "models": "list", "embeddings": "embedding", "batch": "batch"}


def kind_of(call: Call, identity: Identity) -> str:
    """Return the kind of a call as far as the call alone tells: `turn`, `count`, `list`, `embedding`, `warmup` or `other`."""
    if call.operation in _OPERATIONS:
        return _OPERATIONS[call.operation]
    if call.operation != "chat":
        return "other"
    if identity.request_kind == "prewarm":
        return "warmup"
    return "turn"
