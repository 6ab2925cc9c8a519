"""Whose certificates a data source's server may show."""

import hashlib
import ssl
import tempfile
from pathlib import Path

import botocore
from botocore.exceptions import BotoCoreError, ClientError

from reporter.errors import ReportFailure, SourceUnavailable
from reporter.sources.entry import SourceEntry
from reporter.sources.reading import Surroundings

MAX_CERTIFICATE_BYTES = 1024 * 1024
"""All public authorities together have a quarter of it."""


def trusted_certificates(entry: SourceEntry, surroundings: Surroundings) -> str:
    """The file libpq checks the server's certificate against; empty where the entry asks for no check.

    ``certificatesKey`` names a PEM bundle in the project's bucket, else the public authorities are trusted.
    Raises ``SourceUnavailable`` when the bundle cannot be had, ``ReportFailure`` SOURCE_REFUSED when it is too large.
    """
    if not str(entry.connection["sslmode"]).startswith("verify-"):
        return ""
    key = entry.connection.get("certificatesKey")
    if key is None:
        # libpq's own idea of the system's authorities is that of the machine its wheel was built on.
        public = ssl.get_default_verify_paths().cafile
        return public or str(Path(botocore.__file__).with_name("cacert.pem"))
    try:
        answer = surroundings.client("s3").get_object(Bucket=surroundings.bucket, Key=key)
        if answer["ContentLength"] > MAX_CERTIFICATE_BYTES:
            message = f"its certificates, connection.certificatesKey, are larger than {MAX_CERTIFICATE_BYTES} bytes"
            raise ReportFailure("SOURCE_REFUSED", f"data source {entry.id}: {message}")
        # Read whole, so that botocore compares the length: a part of a bundle may lack the very authority.
        content: bytes = answer["Body"].read()
    except (ClientError, BotoCoreError):
        raise SourceUnavailable(entry.id, "its certificates cannot be read") from None
    path = Path(tempfile.gettempdir()) / f"certificates-{hashlib.sha256(content).hexdigest()}.pem"
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    return str(path)
