"""The template table: partition key ``organizationId``, sort key ``id``; the current version of each template."""

from collections.abc import Mapping
from dataclasses import astuple
from datetime import datetime
from typing import Any

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.aws.items import from_json_text, item, json_text, moment, moment_text, values
from reporter.aws.reservations import add_with_reservation
from reporter.errors import ConditionFailed, Unavailable
from reporter.idempotency import Reservation
from reporter.template import Template, Version


class TemplateStore:
    """Reads are consistent; a change is conditional on the version it was made from."""

    def __init__(self, table: str, idempotency_table: str = "") -> None:
        self._table = table
        self._idempotency_table = idempotency_table
        self._client = client("dynamodb")

    def find(self, organization_id: str, template_id: str) -> Template | None:
        """The template, soft-deleted ones included. Raises ``Unavailable``."""
        key = item({"organizationId": organization_id, "id": template_id})
        try:
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        except AWS_ERRORS as error:
            raise Unavailable("the template table") from error
        return template_of(answer["Item"]) if "Item" in answer else None

    def get(self, organization_id: str, template_id: str) -> Template | None:
        """See ``ports.Templates.get``."""
        found = self.find(organization_id, template_id)
        return None if found is None or found.deleted else found

    def add(self, template: Template, reservation: Reservation) -> None:
        """Store a new template and bind its key in one transaction. Raises ``KeyReserved`` or ``Unavailable``."""
        add_with_reservation(self._idempotency_table, reservation, self._table, item_of(template))

    def replace(self, old: Template, new: Template) -> None:
        """Change a template that still is as ``old`` says. Raises ``ConditionFailed`` when it is not."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item_of(new),
                ConditionExpression="version = :version AND updatedAt = :updated AND attribute_not_exists(deletedAt)",
                ExpressionAttributeValues=item({":version": old.version, ":updated": moment_text(old.updated_at)}),
            )
        except AWS_ERRORS as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise ConditionFailed(f"template {old.id} was changed by another call") from None
            raise Unavailable("the template table") from error


def item_of(template: Template) -> dict[str, Any]:
    """The row of a template."""
    return item(
        {
            "organizationId": template.organization_id,
            "id": template.id,
            "outputFormat": template.output_format,
            "description": template.description,
            "fileName": template.file_name,
            "version": template.version,
            "contentKey": template.content_key,
            "sha256": template.sha256,
            "createdAt": moment_text(template.created_at),
            "updatedAt": moment_text(template.updated_at),
            "reads": json_text(template.reads),
            "warnings": json_text(template.warnings),
            "timeZone": template.time_zone,
            "formulaGuard": template.formula_guard,
            "schemaKey": template.schema_key,
            "schemaSha256": template.schema_sha256,
            "expiresAfterDays": template.expires_after_days,
            "deletedAt": moment_text(template.deleted_at),
            "history": json_text([astuple(old) for old in template.history]),
        }
    )


def template_of(attributes: Mapping[str, Any]) -> Template:
    """The inverse of ``item_of``."""
    row = values(attributes)
    reads = from_json_text(row["reads"])
    return Template(
        id=row["id"],
        organization_id=row["organizationId"],
        output_format=row["outputFormat"],
        description=row["description"],
        file_name=row["fileName"],
        version=row["version"],
        content_key=row["contentKey"],
        sha256=row["sha256"],
        created_at=datetime.fromisoformat(row["createdAt"]),
        updated_at=datetime.fromisoformat(row["updatedAt"]),
        reads={s: {t: tuple(c) for t, c in tables.items()} for s, tables in reads.items()},
        warnings=tuple(from_json_text(row["warnings"])),
        time_zone=row["timeZone"],
        formula_guard=row["formulaGuard"],
        schema_key=row.get("schemaKey"),
        schema_sha256=row.get("schemaSha256"),
        expires_after_days=row.get("expiresAfterDays"),
        deleted_at=moment(row.get("deletedAt")),
        history=tuple(Version(*old) for old in from_json_text(row["history"])),
    )
