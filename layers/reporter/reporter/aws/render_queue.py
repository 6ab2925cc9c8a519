"""The SQS queues between accepting and rendering."""

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.errors import Unavailable
from reporter.message import RenderMessage

_NO_GROUPS = {"InvalidParameterValue", "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"}


class SqsRenderQueue:
    """Messages are ids; a duplicate is harmless. Documents in PDF have a queue and a worker of their own."""

    def __init__(self, url: str, pdf_url: str) -> None:
        self._url = url
        self._pdf_url = pdf_url
        self._client = client("sqs")

    def send(self, message: RenderMessage, output_format: str) -> None:
        """Raises ``Unavailable``; the message may have arrived all the same.

        The organization is the message's group: a standard queue is fair between groups, and goes on in parallel within.
        """
        url = self._pdf_url if output_format == "PDF" else self._url
        try:
            self._client.send_message(QueueUrl=url, MessageBody=message.as_text(), MessageGroupId=message.organization_id)
        except AWS_ERRORS as error:
            if error_code(error) not in _NO_GROUPS:
                raise Unavailable("the render queue") from error
            self._send_alone(message, url)

    def _send_alone(self, message: RenderMessage, url: str) -> None:
        """Where standard queues know no groups yet: later for some, but for all."""
        try:
            self._client.send_message(QueueUrl=url, MessageBody=message.as_text())
        except AWS_ERRORS as error:
            raise Unavailable("the render queue") from error


class SqsReceivedMessages:
    """The messages that a worker has received from its own queue."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = client("sqs")

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """Show a received message again after ``seconds`` from now. Raises ``Unavailable``."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=max(0, min(seconds, 43_200))
            )
        except AWS_ERRORS as error:
            raise Unavailable("the render queue") from error
