"""The accept function, asked directly for what came as an event."""

import json
from collections.abc import Mapping
from typing import Any

from reporter.aws.clients import AWS_ERRORS, client
from reporter.errors import Unavailable
from reporter.workflow.dead_letters import REFUSAL, RequestRefused


class AcceptFunction:
    """``reporter.workflow.dead_letters.Requests``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._client = client("lambda")

    def request(self, direct: Mapping[str, Any]) -> None:
        """Safe to repeat: the request carries its key. Raises ``RequestRefused`` and ``Unavailable``."""
        try:
            answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps(direct).encode())
            found = json.loads(answer["Payload"].read()) if answer.get("FunctionError") else {}
        except (*AWS_ERRORS, ValueError) as error:
            raise Unavailable("the accept function") from error
        if found.get("errorType") == REFUSAL:
            raise RequestRefused(str(found.get("errorMessage", "")))
        if "FunctionError" in answer:
            raise Unavailable("the accept function")
