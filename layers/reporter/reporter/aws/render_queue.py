"""The SQS queue between accepting and rendering."""

from reporter.aws.clients import AWS_ERRORS, client
from reporter.errors import Unavailable
from reporter.message import RenderMessage


class SqsRenderQueue:
    """Messages are ids; a duplicate is harmless."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = client("sqs")

    def send(self, message: RenderMessage) -> None:
        """Raises ``Unavailable``; the message may have arrived all the same."""
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=message.as_text())
        except AWS_ERRORS as error:
            raise Unavailable("the render queue") from error

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """Show a received message again after ``seconds`` from now. Raises ``Unavailable``."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=max(0, min(seconds, 43_200))
            )
        except AWS_ERRORS as error:
            raise Unavailable("the render queue") from error
