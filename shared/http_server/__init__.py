"""Serves HTTP/1.1 on the hot path: an `asyncio.Protocol` over httptools, with limits on all that peers send."""
