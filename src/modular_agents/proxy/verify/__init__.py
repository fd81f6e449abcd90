"""The proxy tests itself: awkward requests and streams sent through a running relay to an echo of its own, compared byte for byte.

To the proxy it is one more client and one more provider; records are read through the port alone.
"""
