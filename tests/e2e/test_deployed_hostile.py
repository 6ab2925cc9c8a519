"""Hostile templates among good ones in the deployed queue: the good reports are right, the others end in their errors."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from local.api import Api
from local.postgresql import EmbeddedPostgres
from local.shell import StepFailed
from local.stack import Running
from samples import ledger

pytestmark = pytest.mark.timeout(600)
GOOD = "{% for a in midaz_onboarding.account %}{{ a.id }};{{ a.alias }}\n{% endfor %}"
HOSTILE = {
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "TEMPLATE_RECURSION",
    "{% for i in range(99999) %}{{ 'x'|ljust:9999 }}{% endfor %}": "TEMPLATE_OUTPUT",
    "{{ 1 / 0 }}": "TEMPLATE_ERROR",
}


def outcome(api: Api, report_id: str) -> str:
    """The document, or the code of the error."""
    try:
        api.finished(report_id)
    except StepFailed:
        return str(api.call("GET", f"/v1/reports/{report_id}")[1]["error"]["code"])
    return api.download(report_id)[1].decode()


def test_three_hostile_templates_among_thirty_reports_hurt_themselves_only(
    deployed: tuple[Running, EmbeddedPostgres], api: Api
) -> None:
    with psycopg.connect(deployed[1].dsn("midaz_onboarding")) as connection:
        accounts = connection.execute(
            "SELECT id::text, alias FROM account WHERE organization_id = %s ORDER BY id LIMIT 30", [ledger.ORGANIZATION]
        ).fetchall()
    assert len(accounts) == 30
    good = api.register("good", GOOD.encode(), "TXT")
    orders: list[tuple[str, dict[str, Any], str]] = [
        (good, {"midaz_onboarding": {"account": {"id": {"eq": [account]}}}}, f"{account};{alias}\n")
        for account, alias in accounts
    ]
    for number, (text, code) in enumerate(HOSTILE.items()):
        orders.insert(11 * number, (api.register("hostile", text.encode(), "TXT"), {}, code))
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda order: api.order(*order[:2]), orders))
        found = list(pool.map(lambda report: outcome(api, report), reports))
    assert found == [expected for _template, _filters, expected in orders]
