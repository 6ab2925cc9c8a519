"""The hand-written pipeline: COPY, the same spool, the document by hand, an upload. And the bare one: COPY and an upload.

``python -m benchmarks.floors.pipeline KIND FORMAT DSN BUCKET`` is one of them in a process of its own.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
import psycopg
from reporter.dataset import BATCH_ROWS, SpooledTable, SpoolWriter
from reporter.sources.postgresql_values import READERS, batch_of

from benchmarks.floors.documents import written
from benchmarks.operations import COLUMNS, ORGANIZATION, SOURCE, TABLE
from benchmarks.processes import report

QUERY = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE organization_id = '{ORGANIZATION}'"
KEYS = {"by_hand": "floors/by-hand", "bare": "floors/bare"}
_TYPES = (25, 25, 25, 1700, 1700, 25, 1184)


def spooled(dsn: str, folder: Path) -> SpooledTable:
    """The rows in the spool, as the worker would put them there."""
    readers = [READERS[kind] for kind in _TYPES]
    writer = SpoolWriter(folder, 10**8, 10**11)

    def batches() -> Any:
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            connection.execute("SET timezone = 'UTC'")
            with cursor.copy(f"COPY ({QUERY.replace('SELECT id', 'SELECT id::text', 1)}) TO STDOUT") as copied:
                lines = []
                for line in copied:
                    lines.append(line)
                    if len(lines) == BATCH_ROWS:
                        yield batch_of(lines, readers)
                        lines = []
                if lines:
                    yield batch_of(lines, readers)

    return writer.write(SOURCE, TABLE, COLUMNS, batches())


def by_hand(output_format: str, dsn: str, folder: Path, bucket: str) -> None:
    """Source → spool → document → S3."""
    path = folder / "document"
    written(spooled(dsn, folder), path, output_format)
    boto3.client("s3").upload_file(str(path), bucket, KEYS["by_hand"])


def bare(_output_format: str, dsn: str, folder: Path, bucket: str) -> None:
    """COPY's own output, uploaded."""
    path = folder / "document.txt"
    query = f"COPY ({QUERY}) TO STDOUT"
    with psycopg.connect(dsn) as connection, connection.cursor().copy(query) as copied, path.open("wb") as file:
        file.writelines(copied)
    boto3.client("s3").upload_file(str(path), bucket, KEYS["bare"])


def main(kind: str, output_format: str, dsn: str, bucket: str) -> None:
    """Measured."""
    with tempfile.TemporaryDirectory(prefix="reporter-") as name:
        pipeline = {"by_hand": by_hand, "bare": bare}[kind]
        report(lambda: pipeline(output_format, dsn, Path(name), bucket))


if __name__ == "__main__":
    main(*sys.argv[1:5])
