"""Data sources: which there are, and what they hold. Never how they are reached."""

from typing import Any

from reporter.aws.http import Call, answer, make_resolver
from reporter.aws.logs import answered
from reporter.errors import RequestError
from reporter.settings import DataSourceSettings
from reporter.source_assembly import source_registry

registry = source_registry(DataSourceSettings.from_env())
app = make_resolver()


@app.get("/v1/data-sources")
def list_data_sources() -> Any:
    """What this organization may read."""
    entries = registry.entries(Call(app).organization())
    return answer(200, [_named(entry) for _id, entry in sorted(entries.items())])


@app.get("/v1/data-sources/<source_id>")
def get_data_source(source_id: str) -> Any:
    """One source with its tables and fields."""
    organization = Call(app).organization()
    entry = registry.entries(organization).get(source_id)
    if entry is None:
        raise RequestError("TPL-0031", "no such data source", status=404)
    tables = sorted(registry.schema(entry, organization).tables.items())
    described = [{"name": name, "fields": list(columns)} for name, columns in tables]
    return answer(200, {**_named(entry), "tables": described})


def _named(entry: Any) -> dict[str, str]:
    return {"id": entry.id, "externalName": entry.external_name, "type": entry.type}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events."""
    return answered(event, context, app.resolve)
