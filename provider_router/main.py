"""Composition root of the provider router."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.model_source_http import HttpModelSource
from provider_router.adapters.provider_catalog_yaml import YamlProviderCatalog
from provider_router.adapters.provider_observations_memory import MemoryProviderObservations
from provider_router.adapters.yaml_file.reader import LocalAddresses
from provider_router.servicer.router_servicer import RouterServicer, RouterUseCases
from provider_router.settings import Settings, SettingsCredentials
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.embed_texts import EmbedTexts
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from provider_router.use_cases.stream_chat import StreamChat
from shared.server import Dependencies, Registration, Service


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wires the router."""
    local = LocalAddresses(settings.local_chat_url, settings.local_embed_url)
    catalog = YamlProviderCatalog(settings.providers_file, local, settings.reload_s)
    client = HttpClient(settings.limits, deps.clock)
    observations = MemoryProviderObservations()
    credentials = SettingsCredentials(settings.local_key_file)
    models = HttpModelSource(client, credentials, observations, deps.clock)
    stream_chat = StreamChat(catalog, models, deps.clock)
    use_cases = RouterUseCases(
        complete_chat=CompleteChat(stream_chat),
        stream_chat=stream_chat,
        embed_texts=EmbedTexts(catalog, models),
        list_models=ListModels(catalog),
        list_providers=ListProviders(catalog, models, observations),
    )

    async def start() -> None:
        await catalog.load()
        await client.start()

    return Service(
        name="router",
        registrations=[
            Registration(
                router_pb2_grpc.add_RouterServiceServicer_to_server,
                RouterServicer(use_cases),
                router_pb2.DESCRIPTOR.services_by_name["RouterService"],
            )
        ],
        start=start,
        stop=client.stop,
        background=[catalog.watch],
    )
