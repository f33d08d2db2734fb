"""`nexus` against a mesh elsewhere: one address for all services, and a key that never travels in clear."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from protos.gen.nexus.tools.v1 import tools_pb2

NEXUS = Path(sys.executable).with_name("nexus")
KEY = "nxk_remote"


class Anyone(grpc.GenericRpcHandler):
    """Serves ListTools to whoever has the key."""

    def service(self, handler_call_details):
        def answer(request, context):
            if ("authorization", f"Bearer {KEY}") not in context.invocation_metadata():
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no key")
            return tools_pb2.ListToolsResponse(tools=[tools_pb2.Tool(name="far_away")])

        return grpc.unary_unary_rpc_method_handler(
            answer, tools_pb2.ListToolsRequest.FromString, tools_pb2.ListToolsResponse.SerializeToString
        )


@pytest.fixture
def server():
    running = grpc.server(ThreadPoolExecutor(2), handlers=(Anyone(),))
    yield running
    running.stop(None).wait()


@pytest.fixture
def certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    return key, certificate


def list_tools(tmp_path, **environment):
    basic = {"PATH": os.environ["PATH"], "NEXUS_API_KEY": KEY}
    command = [NEXUS, "tools", "list", "--json", "--data", tmp_path / "none"]
    return subprocess.run(
        command, env={**basic, **environment}, capture_output=True, text=True, timeout=30, check=False
    )


def test_an_address_on_loopback_needs_no_data_directory(server, tmp_path):
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    done = list_tools(tmp_path, NEXUS_ADDRESS=f"127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tools"][0]["name"] == "far_away"


def test_https_works_with_a_certificate_that_is_trusted_and_with_no_other(server, tmp_path, certificate):
    key, public = certificate
    pair = (key.read_bytes(), public.read_bytes())
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
    server.start()
    address = f"https://localhost:{port}"

    trusted = list_tools(tmp_path, NEXUS_ADDRESS=address, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(public))
    stranger = list_tools(tmp_path, NEXUS_ADDRESS=address)

    assert trusted.returncode == 0, trusted.stderr
    assert json.loads(trusted.stdout)["tools"][0]["name"] == "far_away"
    assert stranger.returncode == 3
    assert KEY not in stranger.stderr
