"""Uploads to the deployed stack: bytes arrive as they were sent, up to the last one that is allowed."""

import hashlib
import io
import random
import zipfile

import pytest
from openpyxl import Workbook
from reporter.document import CONTENT_TYPES
from reporter.settings import TemplateSettings

from tests.e2e.deployed import Deployed
from tests.world import ORGANIZATION, Answer, form

pytestmark = pytest.mark.timeout(300)
ORG = {"X-Organization-Id": ORGANIZATION}
FIELDS = {"outputFormat": "xlsx", "description": "With a picture"}
EVERY_BYTE = bytes(range(256))
LARGEST = TemplateSettings.model_fields["max_upload_bytes"].default


def workbook(picture: bytes) -> bytes:
    """A workbook whose picture lies in it byte for byte."""
    book = Workbook()
    book.create_sheet("Totals")["A1"] = "Total"
    plain, whole = io.BytesIO(), io.BytesIO()
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "[Content_Types].xml":
                content = content.replace(b"<Default ", b'<Default Extension="png" ContentType="image/png"/><Default ', 1)
            new.writestr(name, content)
        new.writestr("xl/media/image1.png", picture)
    return whole.getvalue()


def sent(world: Deployed, content: bytes) -> tuple[int, Answer]:
    """How long the form's body was, and what came of it."""
    kind, body = form(content, FIELDS, "largest.xlsx")
    return len(body), world.call("POST", "/v1/templates", body, {**ORG, "Content-Type": kind})


def assert_kept(world: Deployed, answer: Answer, content: bytes) -> None:
    assert answer.status == 201, answer.body
    kept = world.call("GET", f"/v1/templates/{answer.body['id']}/content", None, ORG)
    assert hashlib.sha256(kept.body).hexdigest() == hashlib.sha256(content).hexdigest()
    assert kept.headers["content-type"] == CONTENT_TYPES["XLSX"]
    (row,) = [row for row in world.rows("templates") if row["id"]["S"] == answer.body["id"]]
    assert row["sha256"]["S"] == hashlib.sha256(content).hexdigest()


def test_all_values_of_a_byte_arrive(empty_world: Deployed) -> None:
    pairs = bytes(value for first in EVERY_BYTE for second in EVERY_BYTE for value in (first, second))
    content = workbook(pairs)
    _size, answer = sent(empty_world, content)
    assert_kept(empty_world, answer, content)


def test_the_largest_body_arrives_and_one_byte_more_does_not(empty_world: Deployed) -> None:
    chance = random.Random(1)
    around = len(form(workbook(b""), FIELDS, "largest.xlsx")[1])
    content = workbook(chance.randbytes(LARGEST - around))
    size, answer = sent(empty_world, content)
    assert size == LARGEST
    assert_kept(empty_world, answer, content)
    _size, refused = sent(empty_world, workbook(chance.randbytes(LARGEST - around + 1)))
    assert (refused.status, refused.code) == (413, "TPL-0005")
    assert len(empty_world.rows("templates")) == 1
