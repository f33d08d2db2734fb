"""What cannot be used as messages."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import router_pb2
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.configuration.troubles import Unusable


def problem(found: ConfigurationProblem) -> router_pb2.ConfigurationProblem:
    """A file that is not in force."""
    message = router_pb2.ConfigurationProblem(file=found.file, line=found.line, message=found.message)
    message.since.FromDatetime(found.since)
    return message


def unusable(found: Unusable) -> router_pb2.Unusable:
    """A provider or a contract that cannot be used."""
    return router_pb2.Unusable(name=found.name, reason=found.reason)
