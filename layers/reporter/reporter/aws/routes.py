"""The API's description, and from it which methods a path knows."""

import json
import re
from functools import cache
from importlib import resources


@cache
def description() -> str:
    """OpenAPI 3.1 as text, generated from the doors' routes."""
    return resources.files("reporter").joinpath("openapi.json").read_text(encoding="utf-8")


@cache
def _routes() -> list[tuple[re.Pattern[str], list[str]]]:
    paths = dict(sorted(json.loads(description())["paths"].items(), key=lambda path: path[0].count("{")))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), sorted(map(str.upper, known))) for path, known in paths.items()]


def methods_of(path: str) -> list[str]:
    """The methods of a path, whichever door has them; empty where there is no such route.

    As for the gateway, fixed parts of a path go before parameters.
    """
    return next((known for pattern, known in _routes() if pattern.fullmatch(path)), [])
