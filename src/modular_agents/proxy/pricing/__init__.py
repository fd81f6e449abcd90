"""Usage and model in, cost out, with its provenance. `price` is the door."""
