"""Who asks, under which key, and where a link leads: nothing else names an organization, and nothing keeps a link."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from reporter.errors import RequestError
from reporter.exact_json import canonical_hash

from functions.accept import app as accept
from functions.status import app as status
from tests.conformance.test_api_cases import REPORT, add_finished, report_in, template_in
from tests.wire import hearing
from tests.world import ORGANIZATION, OTHER, TEMPLATE, Answer, Context, World

ORG = {"X-Organization-Id": ORGANIZATION}
GOOD: dict[str, Any] = {"templateId": TEMPLATE, "filters": {}}
NOBODIES = [
    *[
        None,
        "",
        " ",
        "null",
        "undefined",
        "0",
        "*",
        "' OR 1=1 --",
        "00000000-0000-0000-0000-000000000000",
        "../" + ORGANIZATION,
    ],
    *["{" + ORGANIZATION + "}", f"urn:uuid:{ORGANIZATION}", ORGANIZATION.replace("-", ""), ORGANIZATION.replace("0", "０")],
    *[f"{ORGANIZATION} ", f"{ORGANIZATION}\t", f"{ORGANIZATION},{OTHER}", f"{ORGANIZATION};{OTHER}", ORGANIZATION * 300],
    *[f"{ORGANIZATION}\x00", ORGANIZATION[:-1] + "g", ORGANIZATION + "0", f'"{ORGANIZATION}"'],
]
ROUTES = [
    ("GET", "/v1/reports"),
    ("GET", f"/v1/reports/{REPORT}"),
    ("GET", f"/v1/reports/{REPORT}/download"),
    ("POST", f"/v1/reports/{REPORT}/cancel"),
    ("DELETE", f"/v1/reports/{REPORT}"),
    ("POST", "/v1/reports"),
    ("GET", "/v1/templates"),
    ("GET", f"/v1/templates/{TEMPLATE}/content"),
    ("DELETE", f"/v1/templates/{TEMPLATE}"),
    ("GET", "/v1/data-sources"),
    ("GET", "/v1/limits"),
]


@pytest.mark.parametrize("value", NOBODIES, ids=lambda value: ascii(value)[:40])
def test_what_names_no_organization_opens_nothing(world: World, value: str | None) -> None:
    world.add_template(template_in(ORGANIZATION))
    add_finished(world, ORGANIZATION, "TXT")
    before = (world.rows("reports"), world.rows("templates"))
    headers = {} if value is None else {"X-Organization-Id": value}
    # The limits in force are the same for whoever asks, but nobody is nobody.
    for method, path in ROUTES:
        answer = world.call(method, path, GOOD if (method, path) == ("POST", "/v1/reports") else None, headers)
        assert (answer.status, answer.code) == (400, "TPL-0004"), path
    with pytest.raises(RequestError, match=r"TPL-0004|TPL-0016"):
        accept.handler({"organizationId": value, **GOOD}, Context())
    assert (world.rows("reports"), world.rows("templates")) == before
    assert world.rows("idempotency") == []


def test_an_organization_anywhere_but_in_its_header_means_nothing(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    world.add_report(report_in(OTHER))
    for member in ("organizationId", "organization_id", "organization", "tenantId"):
        assert world.call("POST", "/v1/reports", {**GOOD, member: OTHER}, ORG).code == "TPL-0015"
    for name in ("organizationId", "organization_id", "X-Organization-Id", "organization"):
        assert world.call("GET", f"/v1/reports?{name}={OTHER}", None, ORG).body["items"] == []
        assert world.call("GET", f"/v1/reports/{REPORT}?{name}={OTHER}", None, ORG).code == "TPL-0011"
    for name in ("X-Organization", "X-Org-Id", "X-Tenant-Id", "Organization-Id", "Cookie", "X-Amzn-Oidc-Identity"):
        assert world.call("GET", f"/v1/reports/{REPORT}", None, {**ORG, name: OTHER}).code == "TPL-0011"
        assert world.call("GET", f"/v1/reports/{REPORT}", None, {name: OTHER}).code == "TPL-0004"


def posted(world: World, key: str | None, organization: str = ORGANIZATION, **more: Any) -> Answer:
    headers = {"X-Organization-Id": organization, **({"X-Idempotency": key} if key else {})}
    return world.call("POST", "/v1/reports", {**GOOD, **more}, headers)


KEYS = [
    "k",
    "k:1",
    "1:k",
    ":",
    "k k",
    "K",
    "k/1",
    "k#1",
    "k|1",
    f"{ORGANIZATION}:k",
    f"POST /v1/reports:{OTHER}:k",
    '["k"]',
    "%6b",
]


def test_no_two_keys_collide_however_they_are_put_together(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    world.add_template(template_in(OTHER))
    made = [posted(world, key, organization) for key in KEYS for organization in (ORGANIZATION, OTHER)]
    assert [(answer.status, answer.headers.get("x-idempotency-replayed")) for answer in made] == [(201, "false")] * len(made)
    assert len({answer.body["id"] for answer in made}) == 2 * len(KEYS)
    again = [posted(world, key, organization) for key in KEYS for organization in (ORGANIZATION, OTHER)]
    assert [answer.body["id"] for answer in again] == [answer.body["id"] for answer in made]


def test_a_key_that_spells_a_derived_one_is_another(world: World) -> None:
    """Whoever can guess what the server derives can neither take nor block it."""
    world.add_template(template_in(ORGANIZATION))
    derived = posted(world, None)
    content = canonical_hash({"templateId": TEMPLATE, "filters": {}, "metadata": None})
    for guess in (f"1:{content}", content, f"derived:1:{content}"):
        sent = posted(world, guess, metadata={"other": guess})
        assert sent.status == 201
        assert sent.headers["x-idempotency-replayed"] == "false"
        assert sent.body["id"] != derived.body["id"]
    assert posted(world, None).body["id"] == derived.body["id"]


def test_one_key_at_two_endpoints_is_two_keys(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    report = posted(world, "k")
    template = world.upload(b"x", {"outputFormat": "txt", "description": "d"}, {**ORG, "X-Idempotency": "k"})
    assert (report.status, template.status) == (201, 201)
    assert template.headers["x-idempotency-replayed"] == "false"


def test_one_key_with_other_content_tells_nothing_of_the_first(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    first = posted(world, "k", metadata={"secret": "hush"})
    other = posted(world, "k", metadata={"secret": "else"})
    assert (other.status, other.code) == (409, "TPL-0040")
    assert first.body["id"] not in json.dumps(other.body)
    assert "hush" not in json.dumps(other.body)
    assert len(world.rows("reports")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "response-content-type=text/html",
        "response-content-disposition=inline",
        "versionId=x",
        "expires=604800",
        f"key=documents/{OTHER}/{REPORT}/1.txt",
        "X-Amz-Expires=604800",
    ],
)
def test_a_link_leads_where_the_row_says_and_nowhere_else(world: World, query: str) -> None:
    add_finished(world, ORGANIZATION, "TXT")
    plain = world.call("GET", f"/v1/reports/{REPORT}/download?redirect=false", None, ORG).body["url"]
    asked = world.call("GET", f"/v1/reports/{REPORT}/download?redirect=false&{query}", None, ORG).body["url"]
    for url in (plain, asked):
        parts = urlsplit(url)
        [signed_at] = parse_qs(parts.query)["X-Amz-Date"]
        age = datetime.now(UTC) - datetime.strptime(f"{signed_at}+0000", "%Y%m%dT%H%M%SZ%z")
        assert timedelta(seconds=-1) < age < timedelta(seconds=30)
        signed = {name: values for name, values in parse_qs(parts.query).items() if name not in VARYING}
        assert parts.path == f"/documents/{ORGANIZATION}/{REPORT}/1.txt"
        assert signed == {
            "X-Amz-Algorithm": ["AWS4-HMAC-SHA256"],
            "X-Amz-Expires": [str(status.settings.download_seconds)],
            "X-Amz-SignedHeaders": ["host"],
            "response-content-type": ["text/plain"],
            "response-content-disposition": [f'attachment; filename="{REPORT}.txt"'],
        }


VARYING = {"X-Amz-Date", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"}


def test_a_link_is_kept_nowhere(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    with hearing() as heard:
        assert posted(world, "k").status == 201
        add_finished(world, ORGANIZATION, "TXT")
        for query in ("", "?redirect=false"):
            assert world.call("GET", f"/v1/reports/{REPORT}/download{query}", None, ORG).status in {200, 302}
        assert posted(world, "k").headers["x-idempotency-replayed"] == "true"
    kept = json.dumps([world.rows(table) for table in world.names] + [heard, world.messages()])
    assert "X-Amz" not in kept
    assert "https://documents" not in kept
