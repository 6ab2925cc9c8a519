"""What travels through the queue: which report to render. The report table is the truth, a message only an id."""

import json
from dataclasses import dataclass

from reporter.errors import ReportFailure
from reporter.request import UUID_PATTERN


@dataclass(frozen=True, slots=True)
class RenderMessage:
    """Ask a worker to render one report."""

    organization_id: str
    report_id: str

    def as_text(self) -> str:
        """The body of the queue's message."""
        return json.dumps({"version": 1, "organizationId": self.organization_id, "reportId": self.report_id})

    @classmethod
    def from_text(cls, text: str) -> "RenderMessage":
        """The inverse of ``as_text``. Raises ``ReportFailure`` MESSAGE_UNREADABLE for anything else."""
        try:
            value = json.loads(text)
            message = cls(value["organizationId"], value["reportId"])
            if value["version"] != 1 or not all(map(UUID_PATTERN.fullmatch, (message.organization_id, message.report_id))):
                raise ValueError(text)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ReportFailure("MESSAGE_UNREADABLE", "a message in the render queue is no render message") from None
        return message
