"""What each door is told by its environment: one frozen model per door, checked whole at cold start.

Resources have no defaults; limits have sane ones. Nothing else in the project reads ``os.environ``; a test compares
these models with template.yaml.
"""

import os
from dataclasses import fields
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reporter.formats.pdf.limits import PdfLimits
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.workflow.budget import Budget

LOCAL_STAGE = "local"
Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
UpTo6MB = Annotated[int, Field(gt=0, le=4_500_000)]
"""Bytes that still fit Lambda's 6,291,456 as base64, with room for the rest of the event or answer."""
_PDF = PdfLimits()
_WORKBOOK = WorkbookLimits()


class SettingsError(RuntimeError):
    """The environment lacks something: the message names every variable at once."""


class Settings(BaseModel):
    """The base: ``from_env`` reads each field from the variable of the same name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_env(cls) -> Self:
        """Raises ``SettingsError`` naming every missing or malformed variable."""
        names = {name: name.upper() for name in cls.model_fields}
        values = {name: os.environ[variable] for name, variable in names.items() if os.environ.get(variable)}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_input=False)
            problems = "; ".join(": ".join([*(names[str(name)] for name in e["loc"][:1]), e["msg"]]) for e in found)
            raise SettingsError(f"{cls.__name__}: {problems}") from None


class SourceSettings(Settings):
    """How data sources are found and reached. ``source_networks``: CIDR blocks, separated by commas.

    ``allow_private_sources`` admits loopback addresses, plain connections and inline credentials: in the local stage only.
    """

    stage: str
    schema_table: str
    source_cache_seconds: Positive = 60
    schema_cache_seconds: Positive = 3600
    allow_private_sources: bool = False
    source_networks: str = ""
    source_connect_seconds: Positive = 5
    source_read_seconds: Positive = 300
    discovery_seconds: Positive = 15
    breaker_failures: Positive = 3
    breaker_seconds: Positive = 30
    document_bucket: str

    @model_validator(mode="after")
    def _private_sources_are_local(self) -> Self:
        if self.allow_private_sources and self.stage != LOCAL_STAGE:
            raise ValueError(f"ALLOW_PRIVATE_SOURCES is for the stage {LOCAL_STAGE} only")
        return self


class LimitSettings(Settings):
    """What one organization may ask for, unless its item in the limit table says otherwise; 0: not limited."""

    limit_table: str
    reports_per_minute: NotNegative = 3000
    concurrent_reports: NotNegative = 5


class AcceptSettings(SourceSettings, LimitSettings):
    """POST /v1/reports and the event door."""

    report_table: str
    template_table: str
    idempotency_table: str
    render_queue_url: str
    pdf_queue_url: str
    idempotency_hours: Positive = 24
    derived_key_seconds: Positive = 300
    max_body_bytes: Positive = 131072
    requeue_seconds: Positive = 120
    document_days: Annotated[int, Field(gt=0, le=36_500)] = 3650


class ContainedSettings(Settings):
    """``require_system_call_filter``: whether nothing is rendered or looked at where the kernel filters no system calls."""

    require_system_call_filter: bool = False


class WorkbookSettings(Settings):
    """How much a workbook may hold: see ``formats.workbook.limits``."""

    workbook_parts: Positive = _WORKBOOK.parts
    workbook_bytes: Positive = _WORKBOOK.bytes
    workbook_part_bytes: Positive = _WORKBOOK.part_bytes
    workbook_part_elements: Positive = _WORKBOOK.part_elements
    workbook_tags: Positive = _WORKBOOK.tags
    workbook_sheets: Positive = _WORKBOOK.sheets

    def workbook_limits(self) -> WorkbookLimits:
        """All of them."""
        return WorkbookLimits(**{field.name: getattr(self, f"workbook_{field.name}") for field in fields(WorkbookLimits)})


class PdfSettings(Settings):
    """How much a document in PDF may hold: see ``formats.pdf.limits``."""

    pdf_html_bytes: Positive = _PDF.html_bytes
    pdf_pages: Positive = _PDF.pages
    pdf_nesting: Positive = _PDF.nesting
    pdf_data_url_bytes: Positive = _PDF.data_url_bytes
    pdf_image_pixels: Positive = _PDF.image_pixels

    def pdf_limits(self) -> PdfLimits:
        """All of them."""
        return PdfLimits(**{field.name: getattr(self, f"pdf_{field.name}") for field in fields(PdfLimits)})


class RenderSettings(ContainedSettings, WorkbookSettings, PdfSettings):
    """How much one document may cost: in the worker as on an author's own machine."""

    render_seconds: Positive = 600
    render_cpu_seconds: Positive = 600
    render_memory_bytes: Positive = 512 * 1024 * 1024
    max_output_bytes: Positive = 2 * 1024**3
    max_spool_bytes: Positive = 4 * 1024**3
    max_rows: Positive = 10_000_000


class BudgetSettings(Settings):
    """By when a report has ended: the parts of ``workflow.budget.Budget``."""

    max_attempts: Positive = 3
    queue_age_seconds: Positive = 86_400
    worker_seconds: Positive = 900
    lease_seconds: Positive = 120
    sweep_minutes: Annotated[int, Field(ge=1, le=30)] = 1

    def budget(self) -> Budget:
        """What every report has in all."""
        return Budget(
            queue_age=self.queue_age_seconds,
            max_attempts=self.max_attempts,
            worker=self.worker_seconds,
            lease=self.lease_seconds,
            sweep=self.sweep_minutes * 60,
        )


class WorkerSettings(SourceSettings, RenderSettings, BudgetSettings, LimitSettings):
    """The worker, and the one for PDF; ``render_queue_url`` is its own queue.

    ``reserve_seconds``: what is kept of its time for ending a report properly.
    """

    report_table: str
    render_queue_url: str
    event_bus: str
    heartbeat_seconds: Positive = 30
    retry_delay_seconds: Positive = 15
    reserve_seconds: Positive = 30
    max_rests: Positive = 12

    @model_validator(mode="after")
    def _two_heartbeats_to_a_lease(self) -> Self:
        if 2 * self.heartbeat_seconds > self.lease_seconds:
            raise ValueError(
                "HEARTBEAT_SECONDS must be at most half of LEASE_SECONDS, or healthy workers lose their reports"
            )
        return self


class EndSettings(Settings):
    """Ending reports, and queueing them again, from outside their worker.

    ``worker_seconds``: the worker's timeout, which no worker outlives.
    """

    stage: str
    report_table: str
    document_bucket: str
    render_queue_url: str
    pdf_queue_url: str
    event_bus: str
    worker_seconds: Positive = 900
    requeue_seconds: Positive = 120


class ReportSettings(EndSettings, LimitSettings):
    """Changing reports: cancel, retry, delete."""


class SweepSettings(EndSettings, BudgetSettings):
    """The sweeper."""


class DeadLetterSettings(SweepSettings):
    """The dead-letter queue's consumer."""

    accept_function: str
    idempotency_hours: Positive = 24


class ListSettings(Settings):
    """Where a page of a list ends early: well before API Gateway's 29 seconds, and where Lambda still takes the answer."""

    max_answer_bytes: UpTo6MB = 4 * 1024 * 1024
    list_seconds: Annotated[int, Field(gt=0, le=20)] = 15


class StatusSettings(BudgetSettings, LimitSettings, ListSettings):
    """Reading reports, downloads, limits, health and the API's description."""

    report_table: str
    document_bucket: str
    download_seconds: Positive = 300
    max_body_bytes: Positive = 131072
    max_upload_bytes: UpTo6MB = 4 * 1024 * 1024
    idempotency_hours: Positive = 24
    derived_key_seconds: Positive = 300
    max_rows: Positive = 10_000_000
    max_spool_bytes: Positive = 4 * 1024**3
    max_output_bytes: Positive = 2 * 1024**3
    render_seconds: Positive = 600
    pdf_max_rows: Positive = 100_000
    pdf_pages: Positive = _PDF.pages
    pdf_render_seconds: Positive = 300

    def limits(self) -> dict[str, int]:
        """The deployment's limits, which are the same for all organizations."""
        return {
            "maxBodyBytes": self.max_body_bytes,
            "maxUploadBytes": self.max_upload_bytes,
            "maxAnswerBytes": self.max_answer_bytes,
            "maxRows": self.max_rows,
            "maxSpoolBytes": self.max_spool_bytes,
            "maxOutputBytes": self.max_output_bytes,
            "renderSeconds": self.render_seconds,
            "pdfMaxRows": self.pdf_max_rows,
            "pdfPages": self.pdf_pages,
            "pdfRenderSeconds": self.pdf_render_seconds,
            "maxAttempts": self.max_attempts,
            "deadlineSeconds": self.budget().seconds,
            "downloadSeconds": self.download_seconds,
            "idempotencyHours": self.idempotency_hours,
            "derivedKeySeconds": self.derived_key_seconds,
        }


class TemplateSettings(SourceSettings, ListSettings, ContainedSettings, WorkbookSettings):
    """Registering and reading templates."""

    template_table: str
    idempotency_table: str
    idempotency_hours: Positive = 24
    derived_key_seconds: Positive = 300
    max_upload_bytes: UpTo6MB = 4 * 1024 * 1024
    max_schema_bytes: Positive = 1024 * 1024
    schema_seconds: Positive = 5
    schema_memory_bytes: Positive = 256 * 1024 * 1024


class PreviewSettings(SourceSettings, ContainedSettings, WorkbookSettings, PdfSettings):
    """Previews. ``preview_rows``: of each table; ``preview_output_bytes``: of the document, of which an answer shows
    ``preview_answer_bytes``; ``preview_seconds`` end reading and rendering, well before API Gateway's 29.
    """

    max_upload_bytes: Annotated[int, Field(gt=0, le=4_500_000)] = 4 * 1024 * 1024
    max_schema_bytes: Positive = 1024 * 1024
    preview_rows: Positive = 100
    preview_seconds: Annotated[int, Field(gt=0, le=20)] = 18
    preview_memory_bytes: Positive = 256 * 1024 * 1024
    preview_spool_bytes: Positive = 64 * 1024 * 1024
    preview_output_bytes: Positive = 8 * 1024 * 1024
    preview_answer_bytes: Annotated[int, Field(gt=0, le=700_000)] = 512 * 1024


class AuthorizerSettings(Settings):
    """Who may call. With ``access_control`` on, issuer, audience and key set must be named."""

    access_control: bool = False
    jwks_url: str = ""
    token_issuer: str = ""
    token_audience: str = ""
    token_algorithm: Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] = "RS256"
    audience_claim: str = "aud"
    organizations_claim: str = "organizations"
    actions_claim: str = "permissions"
    token_leeway_seconds: Annotated[int, Field(ge=0, le=60)] = 30
    max_token_bytes: Positive = 8192
    jwks_cache_seconds: Positive = 3600
    jwks_refetch_seconds: Positive = 60

    @model_validator(mode="after")
    def _named(self) -> Self:
        needed = {"JWKS_URL": self.jwks_url, "TOKEN_ISSUER": self.token_issuer, "TOKEN_AUDIENCE": self.token_audience}
        if self.access_control and (missing := [name for name, value in needed.items() if not value]):
            raise ValueError(f"access control is on, and needs {', '.join(missing)}")
        address = urlsplit(self.jwks_url)
        if self.jwks_url and address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost"}:
            raise ValueError("JWKS_URL must begin with https://")
        return self


class DataSourceSettings(SourceSettings):
    """Describing data sources."""
