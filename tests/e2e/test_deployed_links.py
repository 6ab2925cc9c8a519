"""Links to documents on the deployed stack: good for what was signed, and for nothing else."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest

from local.api import Api
from local.paths import STACK
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from samples import ledger

pytestmark = pytest.mark.timeout(600)
Query = dict[str, str]


@pytest.fixture(scope="module")
def link(deployed: tuple[Running, EmbeddedPostgres]) -> str:
    """The link to a finished report."""
    api = Api(deployed[0].url, ledger.ORGANIZATION)
    report = api.order(api.register("linked", b"linked", "TXT"), {})
    api.finished(report)
    return str(api.call("GET", f"/v1/reports/{report}/download?redirect=false")[1]["url"])


def fetched(url: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Status, headers and body, as anyone gets them."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read().decode()


def test_a_link_works_for_whoever_has_it_and_says_what_it_leads_to(link: str) -> None:
    for _client in range(2):
        status, headers, body = fetched(link)
        assert (status, body, headers["content-type"]) == (200, "linked", "text/plain")
        assert headers["content-disposition"].startswith("attachment; filename=")


def changed(link: str, change: Callable[[Query], Query]) -> str:
    parts = urlsplit(link)
    return urlunsplit(parts._replace(query=urlencode(change(dict(parse_qsl(parts.query))))))


CHANGES: dict[str, Callable[[Query], Query]] = {
    "another content type": lambda query: query | {"response-content-type": "text/html"},
    "no content type": lambda query: {name: value for name, value in query.items() if name != "response-content-type"},
    "shown in the browser": lambda query: query | {"response-content-disposition": "inline"},
    "another file name": lambda query: query | {"response-content-disposition": 'attachment; filename="x.exe"'},
    "for longer": lambda query: query | {"X-Amz-Expires": "604800"},
    "from later on": lambda query: query | {"X-Amz-Date": "20990101T000000Z"},
    "from long ago": lambda query: query | {"X-Amz-Date": "20200101T000000Z"},
    "another version": lambda query: query | {"versionId": "1"},
    "a header more": lambda query: query | {"response-cache-control": "public"},
    "another region": lambda query: (
        query | {"X-Amz-Credential": query["X-Amz-Credential"].replace("us-east-1", "eu-west-1")}
    ),
    "another signature": lambda query: query | {"X-Amz-Signature": "0" * 64},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_link_that_was_changed_is_refused(link: str, change: str) -> None:
    status, _headers, body = fetched(changed(link, CHANGES[change]))
    assert status in {400, 403}, body
    assert "linked" not in body


SECONDS = 4


@pytest.fixture
def brief(deployed: tuple[Running, EmbeddedPostgres]) -> Iterator[None]:
    """Links are good for seconds instead of minutes."""
    running = deployed[0]
    found = running.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId="StatusFunction")
    name, functions = found["StackResourceDetail"]["PhysicalResourceId"], running.client("lambda")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    told = {**before, "DOWNLOAD_SECONDS": str(SECONDS)}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": told})
    yield
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def test_a_link_past_its_time_is_refused(link: str, brief: None, deployed: tuple[Running, EmbeddedPostgres]) -> None:
    api = Api(deployed[0].url, ledger.ORGANIZATION)
    report = urlsplit(link).path.split("/")[-2]
    deadline = time.monotonic() + 60
    signed: Query = {}
    while signed.get("X-Amz-Expires") != str(SECONDS):
        assert time.monotonic() < deadline, signed
        new = str(api.call("GET", f"/v1/reports/{report}/download?redirect=false")[1]["url"])
        signed = dict(parse_qsl(urlsplit(new).query))
    assert fetched(new)[::2] == (200, "linked")
    time.sleep(SECONDS + 1)
    status, _headers, body = fetched(new)
    assert (status, "linked" in body) == (403, False), body
    assert fetched(link)[2] == "linked"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_a_link_to_read_is_good_for_nothing_else(link: str, method: str) -> None:
    assert fetched(link, method)[0] in {400, 403, 405}
    assert fetched(link)[2] == "linked"


def test_a_link_leads_to_no_other_key(link: str, deployed: tuple[Running, EmbeddedPostgres]) -> None:
    running = deployed[0]
    bucket, key = running.outputs["DocumentBucketName"], f"documents/{ledger.OTHER_ORGANIZATION}/x/1.txt"
    running.client("s3").put_object(Bucket=bucket, Key=key, Body=b"another's")
    parts = urlsplit(link)
    own = parts.path[parts.path.index("documents/") :]
    for other in (
        key,
        own.replace("/1.", "/2."),
        "",
        own.rpartition("/")[0] + "/",
        own.replace("documents/", "documents/../"),
    ):
        status, _headers, body = fetched(urlunsplit(parts._replace(path=parts.path.replace(own, other))))
        assert status in {400, 403}, other
        assert "another's" not in body
