"""A small HTTP client of the service, as an application would write it."""

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

from local.shell import StepFailed

POLL_SECONDS = 0.3
WAIT_SECONDS = 120


class Api:
    """Calls for one organization. ``seconds``: how long it waits for an answer."""

    def __init__(self, url: str, organization: str, seconds: int = 60) -> None:
        self._url = url
        self.organization = organization
        self._seconds = seconds

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers; errors are answers too."""
        request = urllib.request.Request(self._url + path, data=body, method=method)
        request.add_header("X-Organization-Id", self.organization)
        request.add_header("Accept", "*/*")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                content, status, found = answer.read(), answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            content, status, found = error.read(), error.code, dict(error.headers)
        kind = next((value for name, value in found.items() if name.lower() == "content-type"), "")
        return status, json.loads(content) if "json" in kind and content else content, found

    def register(self, name: str, content: bytes, output_format: str) -> str:
        """Register a template, return its id. Raises ``StepFailed``."""
        status, answer, _ = self.send_form("/v1/templates", name, content, outputFormat=output_format, description=name)
        if status != 201:
            raise StepFailed(f"template {name}: {answer}")
        return str(answer["id"])

    def send_form(self, path: str, name: str, content: bytes, **fields: str) -> tuple[int, Any, dict[str, str]]:
        """POST a template with the form's other fields."""
        boundary = uuid.uuid4().hex
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
            for field, value in fields.items()
        )
        file = name if name.endswith(".xlsx") else f"{name}.tpl"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="template"; filename="{file}"\r\n\r\n'
        body += head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self.call("POST", path, body, Content_Type=f"multipart/form-data; boundary={boundary}")

    def order(self, template_id: str, filters: dict[str, Any]) -> str:
        """Post a report, return its id. Raises ``StepFailed``."""
        body = json.dumps({"templateId": template_id, "filters": filters}).encode()
        status, answer, _ = self.call("POST", "/v1/reports", body, Content_Type="application/json")
        if status != 201:
            raise StepFailed(f"the report was refused: {answer}")
        return str(answer["id"])

    def finished(self, report_id: str) -> dict[str, Any]:
        """Poll until the report has ended. Raises ``StepFailed`` unless it is finished."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            _status, report, _ = self.call("GET", f"/v1/reports/{report_id}")
            if report.get("status") == "Finished":
                found: dict[str, Any] = report
                return found
            if report.get("status") in {"Error", "Canceled"}:
                raise StepFailed(f"report {report_id} ended in {report['status']}: {report['error']}")
            time.sleep(POLL_SECONDS)
        raise StepFailed(f"report {report_id} did not end within {WAIT_SECONDS} s; see `make logs`")

    def download(self, report_id: str) -> tuple[str, bytes]:
        """File name and bytes of a finished report."""
        _status, link, _ = self.call("GET", f"/v1/reports/{report_id}/download?redirect=false")
        with urllib.request.urlopen(link["url"], timeout=60) as answer:
            return link["fileName"], answer.read()
