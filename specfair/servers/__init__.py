"""Servers that decode speculatively: how each is asked, and what its replies count.

Knows HTTP and every server's own names. Does not know groups, metrics or stores.
"""
