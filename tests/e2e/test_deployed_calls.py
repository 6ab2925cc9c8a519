"""Calls from the API's own description over HTTP: gateway, authorizer and functions answer as it says."""

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import CheckFunction
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from local.postgresql import EmbeddedPostgres
from local.stack import Running
from samples import ledger
from tests.fuzz.test_api import AnyCase, cases

pytestmark = pytest.mark.timeout(600)
CALLS = 40
"""Always the same ones: those that chance decides are made in ``tests/fuzz/test_api.py``, many times as fast."""


def test_the_deployed_stack_answers_as_described(deployed: tuple[Running, EmbeddedPostgres]) -> None:
    session = requests.Session()
    statuses: list[int] = []

    @settings(
        max_examples=CALLS, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(cases())
    def it_is_answered_as_described(case: AnyCase) -> None:
        if "X-Organization-Id" in (case.headers or {}):
            case.headers["X-Organization-Id"] = ledger.ORGANIZATION
        left_out: list[CheckFunction] = [positive_data_acceptance, negative_data_rejection]
        answer = case.call_and_validate(base_url=deployed[0].url, session=session, excluded_checks=left_out)
        statuses.append(answer.status_code)

    it_is_answered_as_described()
    assert len(statuses) >= CALLS
    assert {200, 400, 404} <= set(statuses)
