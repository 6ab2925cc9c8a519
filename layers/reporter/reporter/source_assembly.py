"""The data sources, as the doors that need them assemble them from their settings."""

from typing import TYPE_CHECKING

from reporter.aws.clients import client
from reporter.settings import SourceSettings, WorkerSettings
from reporter.sources.registry import SourceRegistry

if TYPE_CHECKING:
    from reporter.sources.breaker import SourceBreaker


def source_breaker(settings: WorkerSettings) -> "SourceBreaker":
    """What keeps the workers from data sources that are down."""
    from reporter.sources.breaker import SourceBreaker

    return SourceBreaker(
        client,
        settings.schema_table,
        failures=settings.breaker_failures,
        seconds=settings.breaker_seconds,
        cache_seconds=settings.source_cache_seconds,
    )


def source_registry(
    settings: SourceSettings, breaker: "SourceBreaker | None" = None, *, keeps_schemas: bool = True
) -> SourceRegistry:
    """The registry of data sources as the settings have it."""
    return SourceRegistry(
        client,
        stage=settings.stage,
        schema_table=settings.schema_table,
        bucket=settings.document_bucket,
        cache_seconds=settings.source_cache_seconds,
        schema_seconds=settings.schema_cache_seconds,
        connect_seconds=settings.source_connect_seconds,
        read_seconds=settings.source_read_seconds,
        discovery_seconds=settings.discovery_seconds,
        allow_private=settings.allow_private_sources,
        networks=settings.source_networks.split(","),
        keeps_schemas=keeps_schemas,
        breaker=breaker,
    )
