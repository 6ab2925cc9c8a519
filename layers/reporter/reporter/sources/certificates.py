"""Whose certificates a data source's server may show."""

import hashlib
import ssl
import tempfile
from pathlib import Path

import botocore
from botocore.exceptions import BotoCoreError, ClientError

from reporter.errors import SourceUnavailable
from reporter.sources.entry import SourceEntry
from reporter.sources.reading import Surroundings

MAX_CERTIFICATE_BYTES = 1024 * 1024


def trusted_certificates(entry: SourceEntry, surroundings: Surroundings) -> str:
    """The file libpq checks the server's certificate against; empty where the entry asks for no check.

    ``certificatesKey`` names a PEM bundle in the project's bucket, else the public authorities are trusted.
    Raises ``SourceUnavailable`` when the bundle cannot be had.
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
        content: bytes = answer["Body"].read(MAX_CERTIFICATE_BYTES)
    except (ClientError, BotoCoreError):
        raise SourceUnavailable(entry.id, "its certificates cannot be read") from None
    path = Path(tempfile.gettempdir()) / f"certificates-{hashlib.sha256(content).hexdigest()}.pem"
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    return str(path)
