"""The journal: append-only segment files on local disk, one series per worker. The truth until the store has it."""
