"""The composition root of the settings service: the only place where it is wired."""

from __future__ import annotations

import secrets

from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc, settings_pb2, settings_pb2_grpc
from settings_service.adapters.config_feed_memory import MemoryConfigFeed
from settings_service.adapters.config_store_sqlite import SqliteConfigStore
from settings_service.adapters.identity_store_sqlite import SqliteIdentityStore
from settings_service.adapters.key_file_local import LocalKeyFile
from settings_service.adapters.provider_directory_grpc import GrpcProviderDirectory
from settings_service.adapters.role_file import load_roles
from settings_service.adapters.tool_directory_grpc import GrpcToolDirectory
from settings_service.servicer.identity import IdentityServicer
from settings_service.servicer.settings import SettingsServicer, SettingsUseCases
from settings_service.settings import Settings
from settings_service.use_cases.authenticate_key import AuthenticateKey
from settings_service.use_cases.bootstrap_owner import BootstrapOwner
from settings_service.use_cases.get_config import GetConfig
from settings_service.use_cases.list_providers import ListProviders
from settings_service.use_cases.list_tools import ListTools
from settings_service.use_cases.set_tool_state import SetToolState
from settings_service.use_cases.update_config import UpdateConfig
from settings_service.use_cases.watch_config import WatchConfig
from shared.server import Dependencies, Registration, Service
from shared.storage import Database


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service.

    Raises:
        PreconditionFailed: ROLES_INVALID when the role file cannot be used.
    """
    database = Database(
        settings.data_dir / "db/settings.sqlite", "settings_service.adapters.migrations", synchronous="FULL"
    )
    store, identities, feed = SqliteConfigStore(database), SqliteIdentityStore(database), MemoryConfigFeed()
    authenticate_key = AuthenticateKey(identities, load_roles(settings.roles_file))
    key_file = LocalKeyFile(settings.owner_key_file or settings.data_dir / "secrets/owner.key")
    bootstrap = BootstrapOwner(identities, key_file, deps.clock, deps.new_id, secrets.token_bytes)
    tools = GrpcToolDirectory(deps.channel(settings.tools_address))
    use_cases = SettingsUseCases(
        get_config=GetConfig(store),
        update_config=UpdateConfig(store, feed, deps.clock),
        watch_config=WatchConfig(store, feed),
        list_providers=ListProviders(GrpcProviderDirectory(deps.channel(settings.router_address))),
        list_tools=ListTools(tools, store),
        set_tool_state=SetToolState(tools, store, feed, deps.clock),
    )

    async def start() -> None:
        await database.open()
        await bootstrap.run()

    return Service(
        name="settings",
        registrations=[
            Registration(
                settings_pb2_grpc.add_SettingsServiceServicer_to_server,
                SettingsServicer(use_cases),
                settings_pb2.DESCRIPTOR.services_by_name["SettingsService"],
            ),
            Registration(
                identity_pb2_grpc.add_IdentityServiceServicer_to_server,
                IdentityServicer(authenticate_key),
                identity_pb2.DESCRIPTOR.services_by_name["IdentityService"],
            ),
        ],
        start=start,
        stop=database.close,
        keys=authenticate_key,
    )
