"""Anton, a small multi-agent coder, and anton proxy, the tracing proxy that stands beside it."""

__version__ = "0.1.0"
