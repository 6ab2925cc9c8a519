"""The doors as a server that ``requests`` can ask: no sockets, no containers, the same answers."""

import io
import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from tests.world import World

BASE = "http://doors"


class InProcess(HTTPAdapter):
    """Mount it at ``BASE``. ``counts``: how often which status was answered."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.counts: Counter[int] = Counter()

    def send(self, request: requests.PreparedRequest, *_arguments: Any, **_named: Any) -> requests.Response:
        """One call, as API Gateway hands it on: forms byte for byte, everything else as text."""
        parts = urlsplit(str(request.url))
        body: Any = request.body
        if isinstance(body, bytes) and not str(request.headers.get("Content-Type", "")).lower().startswith("multipart/"):
            body = body.decode(errors="replace")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        found = self._world.call(str(request.method), path, body, headers, raw=True)
        self.counts[int(found.status)] += 1
        text = json.dumps(found.body) if "json" in found.headers.get("content-type", "") else found.body
        content: bytes = text if isinstance(text, bytes) else text.encode()
        raw = HTTPResponse(io.BytesIO(content), found.headers, found.status, preload_content=False)
        return self.build_response(request, raw)
