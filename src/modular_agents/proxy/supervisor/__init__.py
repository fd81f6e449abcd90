"""Keeps the processes of a running proxy: binds their sockets, starts them, starts them again when they die, stops them in order.

It touches no call and no row: a crash of anything here, the supervisor included, loses nothing that was acknowledged.
"""
