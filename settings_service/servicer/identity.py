"""IdentityService over the use cases."""

from __future__ import annotations

from typing import Any

from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc
from settings_service.use_cases.authenticate_key import AuthenticateKey
from shared.auth.authenticator import principal_to_proto
from shared.auth.context import current_principal


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Serves nexus.settings.v1.IdentityService."""

    def __init__(self, authenticate_key: AuthenticateKey) -> None:
        self._authenticate_key = authenticate_key

    async def AuthenticateKey(
        self, request: identity_pb2.AuthenticateKeyRequest, context: Any
    ) -> identity_pb2.AuthenticateKeyResponse:
        """Return whose the key is."""
        principal = await self._authenticate_key.principal_of(request.api_key)
        return identity_pb2.AuthenticateKeyResponse(principal=principal_to_proto(principal))

    async def WhoAmI(self, request: identity_pb2.WhoAmIRequest, context: Any) -> identity_pb2.WhoAmIResponse:
        """Return the caller."""
        return identity_pb2.WhoAmIResponse(principal=principal_to_proto(current_principal()))
