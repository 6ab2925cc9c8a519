"""What a caller asks for: a template, filters and a few wishes, checked for everything that the request alone decides."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reporter.errors import FieldProblem, RequestError
from reporter.row_filters import check_operators

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII)
MAX_JSON_DEPTH = 64
MAX_METADATA_KEY = 100
MAX_METADATA_TEXT = 2000


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with milliseconds and ``Z``; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_uuid(text: Any, code: str, place: str) -> str:
    """The UUID in lower case. Raises ``RequestError`` with ``code`` for braces, ``urn:``, undashed and other text."""
    if not isinstance(text, str) or not UUID_PATTERN.fullmatch(text):
        raise RequestError.at(code, place, "must be a UUID with dashes")
    return text.lower()
