"""Registering templates, as its door assembles it from its settings."""

from reporter.assembly import clock
from reporter.aws.document_bucket import DocumentBucket
from reporter.aws.idempotency import PowertoolsIdempotency
from reporter.aws.template_store import TemplateStore
from reporter.identifiers import new_id
from reporter.renderer.client import Renderer
from reporter.settings import TemplateSettings
from reporter.source_assembly import OUTSIDE, source_registry
from reporter.workflow.upload import UploadPorts
from reporter.workflow.xml_schema import XmlSchemas


def upload_ports(settings: TemplateSettings, renderer: Renderer) -> UploadPorts:
    """What registering and changing templates needs."""
    files = DocumentBucket(settings.document_bucket)
    return UploadPorts(
        templates=TemplateStore(settings.template_table, settings.idempotency_table),
        files=files,
        xml_schemas=XmlSchemas(files, renderer.check_xml_schema, settings.max_schema_bytes),
        sources=source_registry(settings, network=OUTSIDE),
        idempotency=PowertoolsIdempotency(
            settings.idempotency_table, settings.idempotency_hours * 3600, settings.derived_key_seconds, clock, new_id
        ),
        clock=clock,
        new_id=new_id,
        workbook_limits=settings.workbook_limits(),
    )
