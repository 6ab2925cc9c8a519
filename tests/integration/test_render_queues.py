"""Which queue a report goes to: its output format decides, and nothing but the adapter knows."""

import pytest
from reporter.aws.clients import client
from reporter.aws.render_queue import SqsRenderQueue
from reporter.document import CONTENT_TYPES
from reporter.message import RenderMessage

from tests.world import ORGANIZATION, TEMPLATE, World


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_only_documents_in_pdf_go_to_the_queue_for_pdf(world: World, output_format: str) -> None:
    pdf_url = client("sqs").create_queue(QueueName="pdf")["QueueUrl"]
    SqsRenderQueue(world.queue_url, pdf_url).send(RenderMessage(ORGANIZATION, TEMPLATE), output_format)
    in_pdf = client("sqs").receive_message(QueueUrl=pdf_url).get("Messages", [])
    assert (len(in_pdf), len(world.messages())) == ((1, 0) if output_format == "PDF" else (0, 1))
