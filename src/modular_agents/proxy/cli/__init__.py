"""`anton proxy …`: one module per verb. Importing a verb imports nothing heavy; running it may."""
