"""Files as a source: types declared and guessed, whose rows they give, and never a part of a file for the whole."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import moto
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from reporter.aws.clients import client
from reporter.dataset import BATCH_ROWS
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.schema import SourceSchema
from reporter.sources.files import FilesSource
from reporter.sources.hosts import HostRule
from reporter.sources.reading import Surroundings

from tests.tables import BUCKET, ORGANIZATION, OTHER_ORGANIZATION, files_entry, opened, put_file, rows_of


@pytest.fixture(autouse=True)
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


def drop(content: str | bytes, key: str = "t.csv", **more: Any) -> FilesSource:
    """A source with one table ``t`` in one file."""
    put_file(key, content)
    source = opened(files_entry({"t": more.pop("file", key)}, **more))
    assert isinstance(source, FilesSource)
    return source


def declared(**columns: str) -> SourceSchema:
    return SourceSchema("s", {"t": columns})  # type: ignore[dict-item]


def failure(source: FilesSource, columns: list[str], schema: SourceSchema | None = None) -> ReportFailure:
    with pytest.raises(ReportFailure) as error:
        rows_of(source, "t", columns, None, schema)
    assert "secret" not in str(error.value)
    return error.value


CSV = """\
id,name,amount,code,uid,day,at,zoned,open,empty
1,Ana,10.50,007,3F1C0A52-6F0E-4F0E-9C55-0B8F6A1D2E3F,2024-05-31,2024-05-31T10:00:00,2024-05-31T10:00:00+02:00,true,
2,"Bob, ""B""
Ltd",7,,,,,,FALSE,
"""


def test_types_of_a_csv_file_are_guessed() -> None:
    assert drop(CSV).discover("").tables["t"] == {
        "id": "integer",
        "name": "text",
        "amount": "numeric",
        "code": "text",
        "uid": "uuid",
        "day": "date",
        "at": "timestamp",
        "zoned": "timestamptz",
        "open": "boolean",
        "empty": "text",
    }


def test_values_of_a_csv_file_are_plain_and_exact() -> None:
    columns = ["id", "name", "amount", "code", "uid", "day", "at", "zoned", "open", "empty"]
    first, second = rows_of(drop(CSV), "t", columns)
    assert first == (
        1,
        "Ana",
        Decimal("10.50"),
        "007",
        "3f1c0a52-6f0e-4f0e-9c55-0b8f6a1d2e3f",
        date(2024, 5, 31),
        datetime(2024, 5, 31, 10),
        datetime(2024, 5, 31, 8, tzinfo=UTC),
        True,
        None,
    )
    assert second == (2, 'Bob, "B"\nLtd', Decimal(7), None, None, None, None, None, False, None)
    assert str(first[2]) == "10.50"


def test_types_of_json_lines_are_guessed_from_what_json_says() -> None:
    source = drop(
        '{"n": 1, "v": 1.50, "s": "7", "ok": true, "d": "2024-05-31", "o": {"a": 1}, "l": [1], "m": 1, "x": null}\n'
        "\n"
        '{"n": 2, "v": 2, "s": "x", "d": "2024-06-01", "m": "text", "late": "2024-05-31T10:00:00Z"}\n',
        "t.jsonl",
    )
    assert source.discover("").tables["t"] == {
        "n": "integer",
        "v": "numeric",
        "s": "text",
        "ok": "boolean",
        "d": "date",
        "o": "object",
        "l": "array",
        "m": "jsonb",
        "x": "text",
        "late": "timestamptz",
    }
    rows = rows_of(source, "t", ["v", "o", "m", "late"])
    assert rows == [
        (Decimal("1.50"), {"a": 1}, 1, None),
        (Decimal(2), None, "text", datetime(2024, 5, 31, 10, tzinfo=UTC)),
    ]
    assert rows_of(source, "t", ["n"], {"o.a": {"eq": [1]}}) == [(1,)]


@pytest.mark.parametrize("cell", ["007", "+1", "1e5", "1.", ".5", "١", "1,5", "0x1f", "1_000", "--1", "NaN", "1" * 60])
def test_what_only_looks_like_a_number_stays_text(cell: str) -> None:
    source = drop(f'v\n1\n"{cell}"\n')
    assert source.discover("").tables["t"] == {"v": "text"}
    assert rows_of(source, "t", ["v"]) == [("1",), (cell,)]


def test_a_file_may_come_from_a_spreadsheet() -> None:
    source = drop("\ufeffid;name\r\n1;a,b\r\n\r\n2;c\r\n", file={"key": "t.csv", "delimiter": ";"})
    assert rows_of(source, "t", ["id", "name"]) == [(1, "a,b"), (2, "c")]


def test_columns_are_found_by_name_and_others_passed_over() -> None:
    source = drop("b,secret,a\n2,x,1\n")
    assert rows_of(source, "t", ["a", "b"], None, declared(a="integer", b="numeric")) == [(1, Decimal(2))]
    assert rows_of(source, "t", []) == [(1,)]


def test_rows_come_in_batches() -> None:
    source = drop("n\n" + "".join(f"{number}\n" for number in range(5000)))
    schema = source.discover("")
    with source.snapshot(Deadline(60)) as snapshot:
        batches = list(snapshot.rows("t", ["n"], schema, (), ORGANIZATION))
    assert [len(batch) for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 1000]
    assert [row[0] for batch in batches for row in batch] == list(range(5000))


@pytest.mark.parametrize(
    ("content", "key", "kind", "place"),
    [
        ("v\n1\nsecret\n", "t.csv", "integer", "line 3, column v"),
        ("v\n1.5\n", "t.csv", "integer", "line 2, column v"),
        ("v\nNaN\n", "t.csv", "numeric", "line 2, column v"),
        ("v\n2024-02-30\n", "t.csv", "date", "line 2, column v"),
        ("v\n2024-05-31T24:00:00Z\n", "t.csv", "timestamptz", "line 2, column v"),
        ("v\nsecret\n", "t.csv", "uuid", "line 2, column v"),
        ("v\nyes\n", "t.csv", "boolean", "line 2, column v"),
        ('v\n"{""a"": NaN}"\n', "t.csv", "jsonb", "line 2, column v"),
        ("v,w\n1\n", "t.csv", "integer", "line 2"),
        ('v\n"secret\n', "t.csv", "integer", "not valid CSV"),
        ('v\n"secret" x\n', "t.csv", "integer", "not valid CSV"),
        ("v,v\n1,2\n", "t.csv", "integer", "line 1"),
        ("v,\n1,2\n", "t.csv", "integer", "line 1"),
        (b"v\n\xff\n", "t.csv", "text", "UTF-8"),
        ('{"v": 1}\nsecret\n', "t.jsonl", "integer", "line 2"),
        ('{"v": 1}\n[1]\n', "t.jsonl", "integer", "line 2"),
        ('{"v": 1}{"v": 2}\n', "t.jsonl", "integer", "line 1"),
        ('{"v": "secret"}\n', "t.jsonl", "integer", "line 1, column v"),
        ('{"v": true}\n', "t.jsonl", "integer", "line 1, column v"),
        ('{"v": 1}\n', "t.jsonl", "text", "line 1, column v"),
        ('{"v": 1e5000}\n', "t.jsonl", "numeric", "line 1"),
        ('{"v": 1e1000000000000000000}\n', "t.jsonl", "numeric", "line 1"),
        ('{"v": Infinity}\n', "t.jsonl", "numeric", "line 1"),
        ('{"v": "\\ud800"}\n', "t.jsonl", "text", "line 1"),
        ('{"v": ' + "9" * 5000 + "}\n", "t.jsonl", "numeric", "line 1"),
        ('{"v": ' + "[" * 5000 + "]" * 5000 + "}\n", "t.jsonl", "jsonb", "line 1"),
    ],
)
def test_what_does_not_fit_ends_the_report_and_names_its_place(
    content: str | bytes, key: str, kind: str, place: str
) -> None:
    failed = failure(drop(content, key), ["v"], declared(v=kind))
    assert (failed.code, failed.retryable) == ("SOURCE_VALUE", False)
    assert place in failed.message
    assert "table t" in failed.message


def test_a_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporter.sources.file_formats.MAX_LINE", 50)
    for content, key in ((f'v\n"{"x" * 60}"\n', "t.csv"), (f'{{"v": "{"x" * 60}"}}\n', "t.jsonl")):
        assert "longer than 50" in failure(drop(content, key), ["v"], declared(v="text")).message


def test_a_file_or_column_that_is_gone_ends_the_report() -> None:
    source = drop("v\n1\n")
    schema = source.discover("")
    put_file("t.csv", "w\n1\n")
    assert failure(source, ["v"], schema).code == "SOURCE_CHANGED"
    put_file("t.csv", "")
    assert failure(source, ["v"], schema).code == "SOURCE_CHANGED"
    client("s3").delete_object(Bucket=BUCKET, Key="t.csv")
    assert failure(source, ["v"], schema).code == "SOURCE_CHANGED"
    assert source.discover("").tables == {}


def test_organizations_are_kept_apart_by_column() -> None:
    source = drop(f"id,org\n1,{ORGANIZATION.upper()}\n2,{OTHER_ORGANIZATION}\n3,\n", scope={"default": "org"})
    assert rows_of(source, "t", ["id"]) == [(1,)]
    assert rows_of(source, "t", ["id"], {"org": {"eq": [OTHER_ORGANIZATION, None]}}) == []
    assert rows_of(source, "t", [], organization=OTHER_ORGANIZATION) == [(1,)]


def test_organizations_are_kept_apart_by_key() -> None:
    put_file(f"drops/{ORGANIZATION}/t.csv", "id\n1\n")
    put_file(f"drops/{OTHER_ORGANIZATION}/t.csv", "id,more\n2,x\n")
    source = opened(files_entry({"t": "drops/{organization}/t.csv"}, scope={}))
    assert rows_of(source, "t", ["id"]) == [(1,)]
    assert rows_of(source, "t", ["id"], organization=OTHER_ORGANIZATION) == [(2,)]
    assert source.discover(ORGANIZATION).tables["t"] == {"id": "integer"}
    assert source.discover("0192f000-0000-7000-8000-0000000000ff").tables == {}


def test_a_table_that_cannot_be_kept_apart_is_never_read() -> None:
    failed = failure(drop("id\n1\n", scope={"default": "org"}), ["id"], declared(id="integer"))
    assert failed.code == "SOURCE_CHANGED"


def test_a_report_stays_with_the_version_it_began_with() -> None:
    source = drop("v\n1\n")
    schema = source.discover("")
    with source.snapshot(Deadline(60)) as snapshot:
        assert list(snapshot.rows("t", ["v"], schema, (), ORGANIZATION)) == [[(1,)]]
        put_file("t.csv", "v\n2\n")
        assert list(snapshot.rows("t", ["v"], schema, (), ORGANIZATION)) == [[(1,)]]
    assert rows_of(source, "t", ["v"]) == [(2,)]


class Answers:
    """An S3 client whose bodies do what a test wants."""

    def __init__(self, body: Any, length: int) -> None:
        self.body = body
        self.length = length

    def get_object(self, **_request: Any) -> dict[str, Any]:
        return {"Body": self.body, "ContentLength": self.length, "ETag": '"e"'}


class Breaking(io.RawIOBase):
    """A body that ends in an error after some bytes."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = io.BytesIO(content)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(min(size, 100))
        if not data:
            raise self._error
        return data


LINES = b"v\n" + b"1\n" * 500


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (StreamingBody(io.BytesIO(LINES[:-2]), len(LINES)), len(LINES)),
        (io.BytesIO(LINES[:-2]), len(LINES)),
        (io.BytesIO(b""), len(LINES)),
        (io.BytesIO(LINES + b"1\n"), len(LINES)),
        (Breaking(LINES[:-2], ReadTimeoutError(endpoint_url="secret")), len(LINES)),
        (Breaking(LINES[:-2], ConnectionResetError("secret")), len(LINES)),
    ],
    ids=["short stream", "short", "empty", "long", "timeout", "reset"],
)
def test_a_body_that_is_not_whole_is_no_short_read(body: Any, length: int) -> None:
    surroundings = Surroundings(lambda _service: Answers(body, length), BUCKET, 5, 5, HostRule())
    failed = failure(FilesSource(files_entry({"t": "t.csv"}), surroundings), ["v"], declared(v="integer"))
    assert isinstance(failed, SourceUnavailable)
    assert failed.retryable


def test_a_body_that_breaks_off_gives_rows_only_before_the_error() -> None:
    body = Breaking(LINES, ConnectionResetError())
    source = FilesSource(
        files_entry({"t": "t.csv"}), Surroundings(lambda _s: Answers(body, len(LINES) + 2), BUCKET, 5, 5, HostRule())
    )
    with source.snapshot(Deadline(60)) as snapshot, pytest.raises(SourceUnavailable):
        list(snapshot.rows("t", ["v"], declared(v="integer"), (), ORGANIZATION))


def refusing(code: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers every request for an object with that error from now on."""

    def refuse(**_request: Any) -> None:
        answer: Any = {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "GetObject")

    for call in ("get_object", "head_object"):
        monkeypatch.setattr(client("s3"), call, refuse)


@pytest.mark.parametrize(
    ("code", "status", "retryable", "dead"),
    [
        ("NoSuchKey", 404, False, False),
        ("AccessDenied", 403, True, False),
        ("InvalidObjectState", 403, True, False),
        ("KMS.DisabledException", 400, True, False),
        ("InvalidRequest", 400, True, False),
        ("405", 405, True, False),
        ("NoSuchBucket", 404, True, True),
        ("SlowDown", 503, True, True),
        ("PreconditionFailed", 412, True, False),
        ("500", 500, True, True),
    ],
)
def test_what_s3_refuses_is_told_apart(
    code: str, status: int, retryable: bool, dead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = drop("v\n1\n")
    schema = source.discover("")
    refusing(code, status, monkeypatch)
    failed = failure(source, ["v"], schema)
    assert failed.retryable is retryable
    assert getattr(failed, "dead", False) is dead


@pytest.mark.parametrize(("key", "code"), [("t.csv", "AccessDenied"), ("t.parquet", "403")])
def test_a_file_that_may_not_be_read_is_no_missing_one(key: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_file("another.csv", "v\n1\n")
    source = opened(files_entry({"t": key}))
    assert source.discover("").tables == {}
    refusing(code, 403, monkeypatch)
    with pytest.raises(SourceUnavailable, match="data source s: the file of table t may not be read"):
        source.discover("")
