"""One module per wire format, none knowing another; each offers a `FORMAT` (see `wire.reading`)."""
