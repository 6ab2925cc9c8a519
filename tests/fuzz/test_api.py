"""Calls by chance from the API's own description: what it allows and what it forbids, through every route.

No answer is a 5xx, and every one is described: status, content type, shape, the problem's members on each refusal.
``API_CALLS`` says how many (500 by default, more in ``make soak``); ``FUZZ_SEED`` runs one seed again.
"""

import hashlib
import json
import os
import random
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
from tests.conformance.test_api_cases import REPORT, add_finished, template_in
from tests.fuzz.in_process import BASE, InProcess
from tests.world import ORGANIZATION, TEMPLATE, World

AnyCase = Case[Any]
CALLS = int(os.environ.get("API_CALLS", "500"))
pytestmark = pytest.mark.timeout(120 + CALLS)


def cases() -> st.SearchStrategy[AnyCase]:
    """Calls of every operation, as described and against the description."""
    schema = schemathesis.openapi.from_dict(json.loads(FILE.read_text()))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(len(methods) for methods in schema.raw_schema["paths"].values())
    return st.one_of([made.as_strategy(generation_mode=mode) for made in operations for mode in GenerationMode])


IDS = {"report_id": REPORT, "template_id": TEMPLATE, "source_id": "erp"}
TEXT = b"{% for c in erp.customers %}{{ c.name }}{% endfor %}"


def prepare(world: World) -> None:
    """A template and a finished report, as if nobody had changed or deleted them."""
    world.add_template(template_in(ORGANIZATION, output_format="TXT", sha256=hashlib.sha256(TEXT).hexdigest()))
    add_finished(world, ORGANIZATION, "TXT")


def at_home(case: AnyCase) -> None:
    """Make it a call by an organization, and about things, that are there."""
    if "X-Organization-Id" in (case.headers or {}):
        case.headers["X-Organization-Id"] = ORGANIZATION
    for name in case.path_parameters or {}:
        case.path_parameters[name] = IDS[name]
    if isinstance(case.body, dict) and "templateId" in case.body:
        case.body |= {"templateId": TEMPLATE, "filters": {}}


def test_whatever_is_called_is_answered_as_described(world: World) -> None:
    used = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    doors = InProcess(world)
    session = requests.Session()
    session.mount(BASE, doors)
    world.add_object("templates/x", TEXT)

    @seed(used)
    @settings(
        max_examples=CALLS, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(cases(), st.booleans())
    def it_is_answered_as_described(case: AnyCase, known: bool) -> None:
        # What a file, a filter or a query may hold, no description can say in full.
        left_out: list[CheckFunction] = [positive_data_acceptance]
        if known:
            prepare(world)
            at_home(case)
            left_out.append(negative_data_rejection)
        case.call_and_validate(base_url=BASE, session=session, excluded_checks=left_out)

    try:
        it_is_answered_as_described()
    finally:
        counts = ", ".join(f"{count} × {status}" for status, count in sorted(doors.counts.items()))
        print(f"\nFUZZ_SEED={used}: {doors.counts.total()} calls, {counts}")
    assert doors.counts.total() >= CALLS
