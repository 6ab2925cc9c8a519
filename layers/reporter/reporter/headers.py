"""HTTP headers as API Gateway passes them: by any spelling of their name, and every one that was sent."""

from collections.abc import Mapping
from typing import Any


def header_values(event: Mapping[str, Any], name: str) -> list[str]:
    """All values sent under the name, in any letter case."""
    several = event.get("multiValueHeaders") or {}
    single = event.get("headers") or {}
    found = [value for key, values in several.items() if key.lower() == name.lower() for value in values]
    return found or [value for key, value in single.items() if key.lower() == name.lower()]
