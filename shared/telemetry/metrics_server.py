"""Serves /metrics on loopback: to a few readers at a time, and to none that dawdles.

The library's own server starts a thread for each connection, and keeps it for as long as the other end stays silent.
"""

from __future__ import annotations

import socket
import threading
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app  # pyright: ignore[reportUnknownVariableType]  # typed by halves

MOST_CONNECTIONS = 16
READ_TIMEOUT_S = 5.0


class _Handler(WSGIRequestHandler):
    timeout = READ_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Log nothing: who reads metrics is of no interest."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or hang up when too many are being answered."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the other end dawdled or hung up."""


def start_metrics_server(port: int) -> WSGIServer:
    """Serve /metrics on `port` of loopback until the process ends or the server is shut down.

    Raises:
        OSError: when the port is taken.
    """
    server = _Server(port)
    server.set_app(cast("Any", make_wsgi_app)())
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
