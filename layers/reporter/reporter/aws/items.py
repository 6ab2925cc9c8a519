"""DynamoDB items: plain values in and out, conditional writes told apart from outages."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from reporter.exact_json import write_json
from reporter.request import rfc3339

_to_item = TypeSerializer().serialize
_from_item = TypeDeserializer().deserialize


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes for the low-level client; None is left out."""
    return {name: _to_item(value) for name, value in values.items() if value is not None}


def values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``item``; numbers come back as ``int`` where they are whole."""
    return {name: _plain(_from_item(attribute)) for name, attribute in attributes.items()}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def json_text(value: Any) -> str | None:
    """Nested values travel as text: DynamoDB's numbers end at 38 digits, ours do not. None stays None."""
    return None if value is None else write_json(value)


def from_json_text(text: str | None) -> Any:
    """The inverse of ``json_text``: numbers with a point are exact decimals."""
    return None if text is None else json.loads(text, parse_float=Decimal)


def moment(text: str | None) -> datetime | None:
    """A stored time. None stays None."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def moment_text(value: datetime | None) -> str | None:
    """A time as stored: the same text the API answers, so that comparisons agree with what a client sees."""
    return rfc3339(value)
