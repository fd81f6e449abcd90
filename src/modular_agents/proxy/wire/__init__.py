"""Exchanges in, calls out. It is pure: bytes and values only; `reader` is the door, `formats` hold one module per wire format."""
