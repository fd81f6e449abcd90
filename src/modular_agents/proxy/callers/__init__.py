"""A connection in, the process of this machine that made it out. It stands behind the relay: what is not found in time stays unknown."""
