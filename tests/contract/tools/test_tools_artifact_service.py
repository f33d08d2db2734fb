"""ArtifactService over a real server: every RPC, with every reason it can end with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import pytest
from artifact_fakes import LIMIT, QUOTA, MemoryArtifactStore

from protos.gen.nexus.artifacts.v1 import artifacts_pb2 as pb
from protos.gen.nexus.artifacts.v1 import artifacts_pb2_grpc
from shared.client import translated_errors
from shared.errors import AlreadyExists, Forbidden, InvalidInput, NexusError, NotFound, QuotaExceeded, Unauthenticated
from shared.ids import new_id
from shared.server import Registration, Service
from shared.testing.harness import Served, principal, serving
from tool_executor.servicer.artifact_servicer import ArtifactServicer

Stub = artifacts_pb2_grpc.ArtifactServiceStub


@asynccontextmanager
async def mesh() -> AsyncGenerator[tuple[Served, Stub]]:
    registration = Registration(
        artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server,
        ArtifactServicer(MemoryArtifactStore()),
        pb.DESCRIPTOR.services_by_name["ArtifactService"],
    )
    async with serving(Service("tools", [registration])) as served:
        yield served, Stub(served.channel)


async def create(stub: Stub, data: bytes = b"one two", **fields: str) -> pb.Artifact:
    request = pb.CreateArtifactRequest(**{"name": "a.txt", **fields}, data=data)  # type: ignore[arg-type]
    async with translated_errors("tools"):
        return (await stub.CreateArtifact(request, timeout=5)).artifact


async def refused(kind: type[NexusError], reason: str, call: Awaitable[object]) -> None:
    with pytest.raises(kind, match=reason):
        async with translated_errors("tools"):
            await call


async def test_an_artifact_is_made_shown_read_and_deleted() -> None:
    async with mesh() as (_, stub):
        made = await create(stub, name="../a.txt", run_id="run-1")
        assert (made.name, made.media_type, made.size_bytes, made.run_id) == ("a.txt", "text/plain", 7, "run-1")
        assert (made.user_id, made.tool, made.create_time.seconds > 0) == ("user-1", "", True)
        assert (await stub.GetArtifact(pb.GetArtifactRequest(artifact_id=made.artifact_id.upper()))).artifact == made
        piece = await stub.ReadArtifact(pb.ReadArtifactRequest(artifact_id=made.artifact_id, offset=4, length=2))
        assert (piece.data, piece.artifact) == (b"tw", made)
        rest = await stub.ReadArtifact(pb.ReadArtifactRequest(artifact_id=made.artifact_id, offset=4))
        assert rest.data == b"two"
        await stub.DeleteArtifact(pb.DeleteArtifactRequest(artifact_id=made.artifact_id, request_id="r"))
        await stub.DeleteArtifact(pb.DeleteArtifactRequest(artifact_id=made.artifact_id, request_id="r"))
        get = stub.GetArtifact(pb.GetArtifactRequest(artifact_id=made.artifact_id))
        await refused(NotFound, "ARTIFACT_UNKNOWN", get)


async def test_a_repeated_creation_is_one() -> None:
    async with mesh() as (_, stub):
        made = await create(stub, request_id="r")
        assert await create(stub, request_id="r") == made
        await refused(AlreadyExists, "REQUEST_ID_REUSED", create(stub, b"other", request_id="r"))


async def test_pages_go_on_where_the_last_ended() -> None:
    async with mesh() as (_, stub):
        made = [(await create(stub, run_id=f"run-{number % 2}")).artifact_id for number in range(5)]
        first = await stub.ListArtifacts(pb.ListArtifactsRequest(page_size=3))
        rest = await stub.ListArtifacts(pb.ListArtifactsRequest(page_size=3, page_token=first.next_page_token))
        assert [each.artifact_id for each in (*first.artifacts, *rest.artifacts)] == made[::-1]
        assert rest.next_page_token == ""
        of_run = await stub.ListArtifacts(pb.ListArtifactsRequest(run_id="run-1"))
        assert [each.artifact_id for each in of_run.artifacts] == [made[3], made[1]]
        wrong = stub.ListArtifacts(pb.ListArtifactsRequest(page_token="'; --"))
        await refused(InvalidInput, "PAGE_TOKEN_INVALID", wrong)


async def test_limits_are_told() -> None:
    async with mesh() as (_, stub):
        await refused(InvalidInput, "ARTIFACT_TOO_LARGE", create(stub, b"x" * (LIMIT + 1)))
        for number in range(QUOTA // LIMIT):
            await create(stub, bytes([number]) * LIMIT)
        await refused(QuotaExceeded, "ARTIFACT_QUOTA_EXCEEDED", create(stub))
        await refused(InvalidInput, "REQUEST_INVALID", create(stub, name=""))
        await refused(InvalidInput, "REQUEST_INVALID", stub.GetArtifact(pb.GetArtifactRequest(artifact_id="../../x")))


async def test_strangers_see_nothing_and_viewers_change_nothing() -> None:
    async with mesh() as (served, stub):
        made = await create(stub)
        stranger, nobody = Stub(served.channel_as(principal("org-b"))), Stub(served.channel_as(None))
        viewer = Stub(served.channel_as(principal(permissions=("artifacts.read",))))
        named, deletion = (
            pb.ReadArtifactRequest(artifact_id=made.artifact_id),
            pb.DeleteArtifactRequest(artifact_id=made.artifact_id),
        )
        await refused(NotFound, "ARTIFACT_UNKNOWN", stranger.ReadArtifact(named))
        await refused(NotFound, "ARTIFACT_UNKNOWN", stranger.DeleteArtifact(deletion))
        assert list((await stranger.ListArtifacts(pb.ListArtifactsRequest())).artifacts) == []
        await refused(Unauthenticated, "CREDENTIAL", nobody.ReadArtifact(named))
        await refused(Forbidden, "PERMISSION", viewer.DeleteArtifact(deletion))
        await refused(Forbidden, "PERMISSION", create(viewer))
        assert (await viewer.ReadArtifact(named)).data == b"one two"
        unknown = viewer.ReadArtifact(pb.ReadArtifactRequest(artifact_id=new_id()))
        await refused(NotFound, "ARTIFACT_UNKNOWN", unknown)
