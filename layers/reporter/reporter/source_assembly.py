"""The data sources, as the doors that need them assemble them from their settings."""

from reporter.aws.clients import client
from reporter.settings import SourceSettings
from reporter.sources.breaker import SourceBreaker
from reporter.sources.registry import SourceRegistry

OUTSIDE = "outside"
"""The network of the doors that are never put into a VPC, while the workers may be."""


def source_registry(settings: SourceSettings, *, network: str = "", stores: bool = True) -> SourceRegistry:
    """The registry of data sources as the settings have it.

    ``network``: a name for where the door is, if that is not beside the workers. ``stores``: whether others learn which
    tables sources have and which sources are down; if not, nothing is written.
    """
    breaker = SourceBreaker(
        client,
        settings.schema_table,
        failures=settings.breaker_failures,
        seconds=settings.breaker_seconds,
        cache_seconds=settings.source_cache_seconds,
        network=network,
        shares=stores,
    )
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
        keeps_schemas=stores,
        breaker=breaker,
    )
