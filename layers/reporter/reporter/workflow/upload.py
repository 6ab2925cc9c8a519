"""Registering and changing templates: nothing that cannot render is accepted, and versions never change."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from reporter.document import CONTENT_TYPES
from reporter.errors import ConditionFailed, ReportFailure, RequestError, Unavailable
from reporter.exact_json import canonical_hash
from reporter.formats.template_file import check_template, template_file
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.idempotency import Idempotency, KeyedCall, Reservation
from reporter.language.check import CheckedTemplate
from reporter.ports import Clock, Sources
from reporter.template import Template, Version
from reporter.workflow.upload_form import Upload, file_of, options_of, require
from reporter.workflow.xml_schema import CONTENT_TYPE, XmlSchemas, changes, require_fitting

ENDPOINT = "POST /v1/templates"
MAX_HISTORY = 200
"""Versions whose files can still be had; names of 1,000 bytes each stay within DynamoDB's 400 KB."""
CHANGE_ATTEMPTS = 3


class TemplateStorage(Protocol):
    """The template table, for writing."""

    def find(self, organization_id: str, template_id: str) -> Template | None: ...
    def get(self, organization_id: str, template_id: str) -> Template | None: ...
    def add(self, template: Template, reservation: Reservation) -> None: ...
    def replace(self, old: Template, new: Template) -> None: ...


class Files(Protocol):
    """The bucket, for templates."""

    def store_bytes(self, key: str, content: bytes, content_type: str) -> None: ...
    def read_bytes(self, key: str, sha256: str) -> bytes: ...
    def discard(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class UploadPorts:
    """What uploads need."""

    templates: TemplateStorage
    files: Files
    xml_schemas: XmlSchemas
    sources: Sources
    idempotency: Idempotency
    clock: Clock
    new_id: Callable[[datetime], str]
    workbook_limits: WorkbookLimits


def register(
    organization_id: str, upload: Upload, key: str | None, ports: UploadPorts, context: Any
) -> tuple[Template, bool]:
    """A new template, or the one this key already stands for.

    Raises ``RequestError`` TPL-0001 to 0007, 0014, 0030 to 0032, 0035, 0039 or 0040, and ``Unavailable``.
    """
    require(upload, ("outputFormat", upload.output_format), ("description", upload.description))
    options = options_of(upload)
    content, file_name = file_of(upload, options["output_format"])
    require_fitting(upload.xml_schema, options["output_format"], ports.xml_schemas.max_bytes)
    digest = hashlib.sha256(content).hexdigest()
    schema = {"schema": hashlib.sha256(upload.xml_schema).hexdigest()} if upload.xml_schema else {}
    # What the file is called does not make it another template.
    content_hash = canonical_hash({"sha256": digest, **options, **schema})
    derived = key is None
    call = KeyedCall(organization_id, ENDPOINT, content_hash if key is None else key, content_hash, derived)
    work = _Registration(organization_id, content, file_name, digest, upload.xml_schema, options, ports)
    return ports.idempotency.run(call, work, context)


def change(organization_id: str, template_id: str, upload: Upload, ports: UploadPorts) -> Template:
    """A new version where the file, the format or an option changes; else only description and ``updatedAt``."""
    if upload.output_format is not None and upload.content is None:
        raise RequestError.at("TPL-0010", "outputFormat", "a new output format needs a new file")
    options = options_of(upload)
    for _attempt in range(CHANGE_ATTEMPTS):
        old = existing(organization_id, template_id, ports)
        new = _changed(old, upload, options, ports)
        try:
            ports.templates.replace(old, new)
        except ConditionFailed:
            continue
        return new
    raise Unavailable("the template, which others are changing,")


def remove(organization_id: str, template_id: str, ports: UploadPorts) -> None:
    """Soft-delete. Raises ``RequestError`` TPL-0011, also the second time."""
    for _attempt in range(CHANGE_ATTEMPTS):
        old = existing(organization_id, template_id, ports)
        now = ports.clock()
        try:
            ports.templates.replace(old, replace(old, deleted_at=now, updated_at=now))
        except ConditionFailed:
            continue
        return
    raise Unavailable("the template, which others are changing,")


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """The file of one version, byte for byte as it was uploaded; named as it was."""

    name: str
    content: bytes
    content_type: str


def content(organization_id: str, template_id: str, version: int, part: str, ports: UploadPorts) -> TemplateFile:
    """The file of a version (0: the current one), or its XML schema where ``part`` is ``schema``.

    Raises ``RequestError`` TPL-0011 or TPL-0019.
    """
    if part not in {"template", "schema"}:
        raise RequestError.at("TPL-0019", "part", "must be template or schema")
    template = existing(organization_id, template_id, ports)
    if version not in {0, template.version}:
        known = {old.version: old for old in template.history}
        if version not in known:
            raise RequestError("TPL-0011", f"the template has no version {version}")
        old = known[version]
        template = replace(
            template,
            content_key=old.content_key,
            sha256=old.sha256,
            file_name=old.file_name,
            schema_key=old.schema_key,
            schema_sha256=old.schema_sha256,
        )
    name = template.file_name
    if part == "template":
        return TemplateFile(name, _bytes(template, ports), _content_type(template))
    if template.schema_key is None or template.schema_sha256 is None:
        raise RequestError("TPL-0011", "this version of the template has no XML schema")
    schema = _stored(template.schema_key, template.schema_sha256, ports)
    return TemplateFile(f"{name.removesuffix('.tpl')}.xsd", schema, CONTENT_TYPE)


def existing(organization_id: str, template_id: str, ports: UploadPorts) -> Template:
    """The template. Raises ``RequestError`` TPL-0011."""
    found = ports.templates.get(organization_id, template_id)
    if found is None:
        raise RequestError("TPL-0011", "no such template")
    return found


@dataclass(frozen=True, slots=True)
class _Registration:
    """The work behind one key."""

    organization_id: str
    content: bytes
    file_name: str
    digest: str
    xml_schema: bytes | None
    options: Mapping[str, Any]
    ports: UploadPorts

    def make(self, reserve: Callable[[str], Reservation]) -> Template:
        checked = _checked(self.content, self.file_name, self.options["output_format"], self.organization_id, self.ports)
        now = self.ports.clock()
        template_id = self.ports.new_id(now)
        template = Template(
            id=template_id,
            organization_id=self.organization_id,
            file_name=self.file_name,
            version=1,
            content_key=_content_key(self.organization_id, template_id, 1, self.digest),
            sha256=self.digest,
            created_at=now,
            updated_at=now,
            reads=checked.reads,
            warnings=checked.warnings,
            **self.options,
        )
        template = self.ports.xml_schemas.with_schema(template, self.xml_schema)
        _store(template, self.content, self.ports)
        self.ports.templates.add(template, reserve(template_id))
        return template

    def find(self, record_id: str) -> Template | None:
        return self.ports.templates.find(self.organization_id, record_id)

    def complete(self, made: Template) -> None:
        """A template needs nothing more."""


def _changed(old: Template, upload: Upload, options: Mapping[str, Any], ports: UploadPorts) -> Template:
    now = ports.clock()
    options = {name: value for name, value in options.items() if value is not None}
    new = replace(old, updated_at=now, **options)
    require_fitting(upload.xml_schema, new.output_format, ports.xml_schemas.max_bytes)
    if upload.content is None:
        rendering = (new.time_zone, new.formula_guard, new.expires_after_days)
        same = rendering == (old.time_zone, old.formula_guard, old.expires_after_days)
        if same and not changes(upload.xml_schema, old):
            return new
        made = ports.xml_schemas.with_schema(_new_version(new, old.sha256), upload.xml_schema)
        _store(made, _bytes(old, ports), ports)
        return made
    content, file_name = file_of(upload, new.output_format)
    checked = _checked(content, file_name, new.output_format, old.organization_id, ports)
    made = _new_version(new, hashlib.sha256(content).hexdigest())
    made = replace(made, file_name=file_name, reads=checked.reads, warnings=checked.warnings)
    made = ports.xml_schemas.with_schema(made, upload.xml_schema)
    _store(made, content, ports)
    return made


def _bytes(template: Template, ports: UploadPorts) -> bytes:
    return _stored(template.content_key, template.sha256, ports)


def _stored(key: str, sha256: str, ports: UploadPorts) -> bytes:
    try:
        return ports.files.read_bytes(key, sha256)
    except ReportFailure:
        raise Unavailable("the template's file") from None


def _new_version(template: Template, digest: str) -> Template:
    version = template.version + 1
    key = _content_key(template.organization_id, template.id, version, digest)
    before = Version(
        template.version,
        template.content_key,
        template.sha256,
        template.file_name,
        template.schema_key,
        template.schema_sha256,
    )
    kept = (*template.history, before)[-MAX_HISTORY:]
    return replace(template, version=version, content_key=key, sha256=digest, history=kept)


def _content_key(organization_id: str, template_id: str, version: int, digest: str) -> str:
    """Ids and a digest only. The digest keeps two changes at once from claiming one key."""
    return f"templates/{organization_id}/{template_id}/{version}-{digest[:16]}"


def _content_type(template: Template) -> str:
    """Of the template's own file: a workbook's template is a workbook, any other is text."""
    workbook = template.file_name.lower().endswith(".xlsx")
    return CONTENT_TYPES["XLSX"] if workbook else "text/plain; charset=utf-8"


def _store(template: Template, content: bytes, ports: UploadPorts) -> None:
    try:
        ports.files.store_bytes(template.content_key, content, _content_type(template))
    except ConditionFailed:
        raise Unavailable("the template's file") from None


def _checked(
    content: bytes, file_name: str, output_format: str, organization_id: str, ports: UploadPorts
) -> CheckedTemplate:
    template = template_file(content, output_format, file_name)
    return check_template(template, output_format, ports.sources.for_organization(organization_id), ports.workbook_limits)
