"""`python -m provider_router`: serves the provider router."""

from provider_router.main import build
from provider_router.settings import Settings
from shared.server import run

run(build, Settings)
