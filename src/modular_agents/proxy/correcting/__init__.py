"""A person's word on the graph, from what was asked to what is stored."""
