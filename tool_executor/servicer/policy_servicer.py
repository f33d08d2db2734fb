"""PolicyService."""

from __future__ import annotations

import grpc

from protos.gen.nexus.tools.v1 import policy_pb2, policy_pb2_grpc
from shared.auth.context import current_principal
from tool_executor.use_cases.list_policy_files import ListPolicyFiles


class PolicyServicer(policy_pb2_grpc.PolicyServiceServicer):
    """Serves nexus.tools.v1.PolicyService."""

    def __init__(self, list_policy_files: ListPolicyFiles) -> None:
        self._list_policy_files = list_policy_files

    async def ListPolicyFiles(
        self,
        request: policy_pb2.ListPolicyFilesRequest,
        context: grpc.aio.ServicerContext[policy_pb2.ListPolicyFilesRequest, policy_pb2.ListPolicyFilesResponse],
    ) -> policy_pb2.ListPolicyFilesResponse:
        """Return the files."""
        files = [
            policy_pb2.PolicyFile(name=file.name, policies=file.policies, problem=file.problem)
            for file in self._list_policy_files()
        ]
        own_file = self._list_policy_files.name_of(current_principal().org_id)
        return policy_pb2.ListPolicyFilesResponse(files=files, own_file=own_file)
