"""Two calls in, what tells them apart out: entry by entry, and what it did to the prompt cache. `compare` is the door."""
