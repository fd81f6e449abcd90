"""A multi-agent run to look at without a key: a story, a stand-in provider that answers from it, agents that play it over real HTTP.

It imports no other room: to the proxy it is one more client and one more provider.
"""
