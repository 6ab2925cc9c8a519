"""Dead letters that nothing can be done with, kept in the bucket for somebody to look at."""

from reporter.aws.document_bucket import DocumentBucket
from reporter.errors import ConditionFailed

PREFIX = "dead-letters/"


class BucketMorgue:
    """``reporter.workflow.dead_letters.Morgue``: one object per message."""

    def __init__(self, bucket: DocumentBucket) -> None:
        self._bucket = bucket

    def keep(self, message_id: str, content: bytes) -> None:
        """Raises ``Unavailable``."""
        try:
            self._bucket.store_bytes(f"{PREFIX}{message_id}.json", content, "application/json")
        except ConditionFailed:
            # It lies there already, as it was understood then.
            return
