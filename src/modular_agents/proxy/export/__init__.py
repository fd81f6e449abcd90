"""What was recorded, for other tools: one module per format behind one exporter. Reads through `ports` only; never writes a store."""
