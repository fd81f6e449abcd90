"""The tracing proxy. It stands alone: nothing in here imports another part of `modular_agents`."""
