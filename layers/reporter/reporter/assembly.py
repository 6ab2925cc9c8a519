"""What several doors assemble alike from their settings."""

from datetime import UTC, datetime

from reporter.aws.clients import client
from reporter.settings import SourceSettings, WorkerSettings
from reporter.sources.breaker import SourceBreaker
from reporter.sources.registry import SourceRegistry


def clock() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def source_breaker(settings: WorkerSettings) -> SourceBreaker:
    """What keeps the workers from data sources that are down."""
    return SourceBreaker(
        client,
        settings.schema_table,
        failures=settings.breaker_failures,
        seconds=settings.breaker_seconds,
        cache_seconds=settings.source_cache_seconds,
    )


def source_registry(
    settings: SourceSettings, breaker: SourceBreaker | None = None, *, keeps_schemas: bool = True
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
        allow_private=settings.allow_private_sources,
        networks=settings.source_networks.split(","),
        keeps_schemas=keeps_schemas,
        breaker=breaker,
    )
