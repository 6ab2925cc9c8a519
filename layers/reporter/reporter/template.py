"""A template: the form a document is made from, in numbered versions that never change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reporter.request import rfc3339

Reads = Mapping[str, Mapping[str, tuple[str, ...]]]
"""What a template touches: source → qualified table → sorted columns."""


@dataclass(frozen=True, slots=True)
class Version:
    """Where the bytes of an earlier version and of its XML schema lie, and what its file was called."""

    version: int
    content_key: str
    sha256: str
    file_name: str
    schema_key: str | None = None
    schema_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The current version of a template. ``content_key`` names that version's bytes in the bucket."""

    id: str
    organization_id: str
    output_format: str
    description: str
    file_name: str
    version: int
    content_key: str
    sha256: str
    created_at: datetime
    updated_at: datetime
    reads: Reads
    warnings: tuple[str, ...] = ()
    time_zone: str = "UTC"
    formula_guard: bool = True
    schema_key: str | None = None
    schema_sha256: str | None = None
    expires_after_days: int | None = None
    deleted_at: datetime | None = None
    history: tuple[Version, ...] = ()

    def expiry(self, accepted_at: datetime) -> datetime | None:
        """When a report accepted at that moment expires, if the template says so."""
        return None if self.expires_after_days is None else accepted_at + timedelta(days=self.expires_after_days)

    @property
    def deleted(self) -> bool:
        """Whether the record is soft-deleted."""
        return self.deleted_at is not None

    def as_answer(self) -> dict[str, Any]:
        """The members of the contract, in its order."""
        return {
            "id": self.id,
            "outputFormat": self.output_format,
            "description": self.description,
            "fileName": self.file_name,
            "version": self.version,
            "createdAt": rfc3339(self.created_at),
            "updatedAt": rfc3339(self.updated_at),
            "warnings": list(self.warnings),
            "timeZone": self.time_zone,
            "formulaGuard": self.formula_guard,
            "expiresAfterDays": self.expires_after_days,
            "schemaSha256": self.schema_sha256,
        }
