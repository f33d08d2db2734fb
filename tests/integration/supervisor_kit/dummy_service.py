"""A service that does nothing but answer health checks, or misbehaves as DUMMY_MODE says."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

mode = os.environ.get("DUMMY_MODE", "serve")
sys.stdout.write(f"dummy starts in mode {mode}\n")
if report := os.environ.get("DUMMY_REPORT"):
    Path(report).write_text(json.dumps({"env": dict(os.environ), "argv": sys.argv}))
if mode == "crash":
    sys.stdout.write("the last words of the dummy\n")
    sys.exit(3)
if mode == "with-child":
    child = subprocess.Popen(["sleep", "600"])
    Path(os.environ["DUMMY_CHILD"]).write_text(str(child.pid))
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = grpc.server(ThreadPoolExecutor(2))
servicer = health.HealthServicer()
serving = health_pb2.HealthCheckResponse.NOT_SERVING if mode == "sick" else health_pb2.HealthCheckResponse.SERVING
servicer.set("", serving)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(os.environ["DUMMY_LISTEN"])
server.start()
while True:
    time.sleep(60)
