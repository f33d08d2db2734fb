"""The one server bootstrap: what a service gives, what it gets, and how it is run."""

from shared.server.bootstrap import run
from shared.server.service import Dependencies, Edge, Registration, Service
from shared.server.supervised import supervised

__all__ = ["Dependencies", "Edge", "Registration", "Service", "run", "supervised"]
