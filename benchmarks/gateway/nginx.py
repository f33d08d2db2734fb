"""nginx: the upstream that answers whole, and a reference that passes requests on unread."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.gateway.answers import WHOLE
from benchmarks.gateway.candidate import Candidate, NotInstalledError, Stage
from benchmarks.gateway.children import FILES, child, free_port, tree
from benchmarks.gateway.job import Endpoint

_FRAME = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections {files}; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  {inner}
}}
"""
_UPSTREAM = """\
default_type application/json;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 '{answer}'; }}
  }}
"""
_PASSING = """\
upstream u{port} {{
    server 127.0.0.1:{to};
    keepalive 512;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://u{port};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
"""


@contextmanager
def upstream(folder: Path, port: int, on: frozenset[int]) -> Generator[None]:
    """Run the provider that answers each request with the same whole answer. Raises NotInstalledError."""
    with _nginx(folder / "upstream", _UPSTREAM.format(port=port, answer=WHOLE), [port], on):
        yield


@contextmanager
def nginx(stage: Stage) -> Generator[Candidate]:
    """Run nginx with one worker that passes requests on."""
    whole, events = free_port(), free_port()
    inner = _PASSING.format(port=whole, to=stage.whole_port) + "  " + _PASSING.format(port=events, to=stage.events_port)
    with _nginx(stage.folder / "nginx", inner, [whole, events], stage.cores.measured) as process:
        yield Candidate(tuple(tree(process)), Endpoint(whole), Endpoint(events))


@contextmanager
def _nginx(folder: Path, inner: str, ports: list[int], on: frozenset[int]) -> Generator[psutil.Process]:
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_FRAME.format(files=FILES, folder=folder, inner=inner))
    command = [_program(), "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")]
    with child(command, folder / "log", ports, on) as process:
        yield process


def _program() -> str:
    # Debian's place for it is on nobody's path but root's.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NotInstalledError("nginx: install the package nginx-light")
    return found
