"""Calls by chance from the API's own description, over HTTP: what it allows and what it forbids, through every route.

No answer is a 5xx, and every one is described: status, content type, shape, the problem's members on each refusal.
``API_CALLS`` says how many (500 by default, more in ``make soak``); ``FUZZ_SEED`` runs one seed again.
"""

import base64
import hashlib
import json
import os
import random
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from local.openapi import FILE
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from tests.conformance.test_api_cases import REPORT, add_finished, template_in
from tests.e2e.deployed import Deployed
from tests.world import ORGANIZATION, TEMPLATE

AnyCase = Case[Any]
CALLS = int(os.environ.get("API_CALLS", "500"))
pytestmark = pytest.mark.timeout(300 + CALLS)
IDS = {"report_id": REPORT, "template_id": TEMPLATE, "source_id": "erp"}
TEXT = b"text"


def cases() -> st.SearchStrategy[AnyCase]:
    """Calls of every operation, as described and against the description."""
    schema = schemathesis.openapi.from_dict(json.loads(FILE.read_text()))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(len(methods) for methods in schema.raw_schema["paths"].values())
    return st.one_of([made.as_strategy(generation_mode=mode) for made in operations for mode in GenerationMode])


def prepare(world: Deployed) -> None:
    """A template and a finished report, as if nobody had changed or deleted them."""
    digest = hashlib.sha256(TEXT).hexdigest()
    world.add_template(template_in(ORGANIZATION, output_format="TXT", sha256=digest, reads={}))
    add_finished(world, ORGANIZATION, "TXT")


def at_home(case: AnyCase) -> None:
    """Make it a call by an organization, and about things, that are there."""
    if "X-Organization-Id" in (case.headers or {}):
        case.headers["X-Organization-Id"] = ORGANIZATION
    for name in case.path_parameters or {}:
        case.path_parameters[name] = IDS[name]
    if isinstance(case.body, dict) and "templateId" in case.body:
        case.body |= {"templateId": TEMPLATE, "filters": {}}


def test_whatever_is_called_is_answered_as_described(
    deployed: tuple[Running, EmbeddedPostgres], empty_world: Deployed
) -> None:
    used = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    session = requests.Session()
    counts: Counter[int] = Counter()
    session.hooks["response"].append(lambda answer, **_named: counts.update([answer.status_code]))
    empty_world.add_object("templates/x", TEXT)

    @seed(used)
    @settings(
        max_examples=CALLS, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(cases(), st.booleans())
    def it_is_answered_as_described(case: AnyCase, known: bool) -> None:
        # What a file, a filter or a query may hold, no description can say in full.
        left_out: list[CheckFunction] = [positive_data_acceptance]
        if known:
            prepare(empty_world)
            at_home(case)
            left_out.append(negative_data_rejection)
        case.call_and_validate(base_url=deployed[0].url, session=session, excluded_checks=left_out)

    try:
        it_is_answered_as_described()
    finally:
        told = ", ".join(f"{count} × {status}" for status, count in sorted(counts.items()))
        print(f"\nFUZZ_SEED={used}: {counts.total()} calls, {told}")
    assert counts.total() >= CALLS
    assert {200, 400, 404} <= set(counts)


@pytest.mark.parametrize(
    "query",
    [
        *["createdAt=0001-01-01", "createdAt=1969-12-31", "createdAt=1970-01-01", "createdAt=9999-12-31"],
        *["createdAt=2020-01-01&sort_order=asc&cursor={}", "createdAt=2120-01-01&sort_order=desc&cursor={}"],
    ],
)
def test_where_no_report_can_lie_is_an_empty_page(query: str, empty_world: Deployed) -> None:
    """DynamoDB refuses a range whose ends are the wrong way round."""
    add_finished(empty_world, ORGANIZATION, "TXT")
    cursor = base64.urlsafe_b64encode(REPORT.encode()).decode()
    headers = {"X-Organization-Id": ORGANIZATION}
    answer = empty_world.call("GET", f"/v1/reports?{query.format(cursor)}", None, headers)
    assert (answer.status, answer.body["items"]) == (200, []), answer.body
