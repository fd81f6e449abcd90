"""`anton`: joins the command groups."""
