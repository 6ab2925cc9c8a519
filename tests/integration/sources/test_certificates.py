"""Whose certificates are trusted: the bundle that an entry names, whole or not at all."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moto
import pytest
from botocore.response import StreamingBody
from reporter.aws.clients import client
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.sources.certificates import MAX_CERTIFICATE_BYTES, trusted_certificates
from reporter.sources.entry import SourceEntry
from reporter.sources.hosts import HostRule
from reporter.sources.reading import Surroundings

from tests.tables import BUCKET, entry_of, put_file

KEY = "certificates/erp.pem"


@pytest.fixture(autouse=True)
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


def entry(**more: str) -> SourceEntry:
    login = {"username": "u", "password": "p"}
    connection = {"host": "db.example.com", "database": "x", "certificatesKey": KEY, "sslmode": "verify-full", **login}
    return entry_of("postgresql", {**connection, **more}, schemas=["public"])


def surroundings(s3: Any = None) -> Surroundings:
    return Surroundings(lambda service: s3 or client(service), BUCKET, 5, 5, HostRule())


@pytest.mark.parametrize("size", [0, 10_000, MAX_CERTIFICATE_BYTES])
def test_a_bundle_is_handed_over_byte_for_byte(size: int) -> None:
    content = b"c" * size
    put_file(KEY, content)
    assert Path(trusted_certificates(entry(), surroundings())).read_bytes() == content


def test_a_bundle_that_is_too_large_is_refused_with_its_place_and_the_limit() -> None:
    put_file(KEY, b"c" * (MAX_CERTIFICATE_BYTES + 1))
    with pytest.raises(ReportFailure) as refused:
        trusted_certificates(entry(), surroundings())
    assert (refused.value.code, refused.value.retryable) == ("SOURCE_REFUSED", False)
    for named in ("data source s", "connection.certificatesKey", str(MAX_CERTIFICATE_BYTES)):
        assert named in refused.value.message


class ShortAnswer:
    """An S3 client whose body ends a byte early."""

    def get_object(self, **_request: Any) -> dict[str, Any]:
        return {"Body": StreamingBody(io.BytesIO(b"c" * 99), 100), "ContentLength": 100}


@pytest.mark.parametrize("s3", [None, ShortAnswer()], ids=["missing", "short"])
def test_a_bundle_that_cannot_be_had_whole_is_an_outage(s3: Any) -> None:
    put_file("another", b"")
    with pytest.raises(SourceUnavailable, match="its certificates cannot be read"):
        trusted_certificates(entry(), surroundings(s3))


def test_without_a_bundle_the_public_authorities_are_trusted_and_without_a_check_nobody_is_asked() -> None:
    named = entry_of("postgresql", {k: v for k, v in entry().connection.items() if k != "certificatesKey"}, schemas=["a"])
    assert "BEGIN CERTIFICATE" in Path(trusted_certificates(named, surroundings())).read_text()
    assert trusted_certificates(entry(sslmode="require"), surroundings()) == ""
