"""Serves HTTP/1.1 on the hot path: an `asyncio.Protocol` over httptools, with limits on all that peers send.

`exchange` is what a handler sees, `server` starts and stops, `limits` bounds. Behind them: `connection` carries the
requests of one client, of which `head` reads the head and `body` the rest; `reply` writes; `hub` is what connections
share; `departures` sees clients leave that are not read.
"""
