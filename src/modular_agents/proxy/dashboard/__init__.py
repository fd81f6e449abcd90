"""The dashboard: reads the store through `ports.Reader`, answers JSON, pushes what changed over a WebSocket. It writes nothing."""
