"""Two organizations at random through every route: neither sees, touches, blocks, replays or times the other's things."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import moto
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st
from reporter.access.actions import ACTIONS
from reporter.aws.clients import client
from reporter.message import RenderMessage

from functions.worker import app as worker
from tests.plant import Plant
from tests.rights import acting
from tests.world import ORGANIZATION, OTHER, Answer, Context, World

ORGANIZATIONS = (ORGANIZATION, OTHER)
SECRET = {ORGANIZATION: "first-organizations-secret", OTHER: "second-organizations-secret"}
TEXTS = (b"fixed", b"{{ 1 / 0 }}")
"""The reports of one template finish, those of the other end in an error."""
PREVIEWED = b"{% for c in erp.customers %}{{ c.name }}{% endfor %}"
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

ROUTES = sorted(ACTIONS)
WITH_ID = [route for route in ROUTES if "{id}" in route[1] and "data-sources" not in route[1]]
Route = tuple[str, str]
WORK = ("WORK", "")
"""Not a route: the worker gets the messages of an organization."""


@dataclass
class Pair:
    """What each of the two has made so far, and the world they share."""

    world: World
    keys: set[tuple[str, Route, str]] = field(default_factory=set)
    ids: dict[str, dict[str, list[str]]] = field(
        default_factory=lambda: {o: {"reports": [], "templates": []} for o in SECRET}
    )
    owners: dict[str, str] = field(default_factory=dict)
    """Whose an item of the idempotency table is: whose step made it, as its key does not tell."""
    queued: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {o: [] for o in SECRET})
    """The messages of each that no worker has got."""

    def call(self, organization: str, route: Route, record_id: str, key: str | None, variant: int) -> Answer:
        if route == WORK:
            return self.work(organization)
        method, path = route[0], route[1].replace("{id}", record_id)
        headers = {"X-Organization-Id": organization, **({"X-Idempotency": key} if key else {})}
        if (path in {"/v1/templates", "/v1/templates/preview"} and method == "POST") or method == "PATCH":
            fields = {"description": f"{SECRET[organization]} {variant}", "outputFormat": "TXT"}
            if path.endswith("preview"):
                given = {"data": '{"erp": {"customers": [{"name": "x"}]}}'}
                return self.world.upload(PREVIEWED, fields | given, headers, path=path)
            return self.world.upload(TEXTS[variant % 2], fields, headers, method=method, path=path)
        if route == ("POST", "/v1/reports"):
            body = {"templateId": record_id, "filters": {}, "metadata": {"note": SECRET[organization], "n": variant}}
            return self.world.call(method, path, body, headers)
        return self.world.call(method, path, None, headers)

    def work(self, organization: str) -> Answer:
        """The organization's messages are delivered, and its reports end."""
        with acting("WorkerFunction"):
            assert worker.handler({"Records": self.queued[organization]}, Context()) == {"batchItemFailures": []}
        self.queued[organization] = []
        return Answer(200, "", {})

    def settle(self, organization: str) -> None:
        """After a step of one of the two: what is new in queue and keys is its own, and limits are of one of them."""
        assert {row["id"]["S"] for row in self.world.rows("limits")} <= set(ORGANIZATIONS)
        while batch := self.world.messages():
            for message in batch:
                assert RenderMessage.from_text(message["body"]).organization_id == organization
            self.queued[organization] += batch
        for row in self.world.rows("idempotency"):
            self.owners.setdefault(row["id"]["S"], organization)

    def remember(self, organization: str, route: Route, answer: Answer) -> None:
        if answer.status == 201:
            made = self.ids[organization][route[1].split("/")[2]]
            if answer.body["id"] not in made:
                made.append(answer.body["id"])

    def rows_of(self, organization: str) -> list[str]:
        tables = ("reports", "templates")
        rows = [row for table in tables for row in self.world.rows(table) if row["organizationId"]["S"] == organization]
        rows += [row for row in self.world.rows("limits") if row["id"]["S"] == organization]
        rows += [row for row in self.world.rows("idempotency") if self.owners[row["id"]["S"]] == organization]
        objects = client("s3").list_object_versions(Bucket="documents").get("Versions", [])
        return sorted([*map(repr, rows), *(f"{o['Key']} {o['VersionId']}" for o in objects if organization in o["Key"])])

    def rename_target(self, organization: str, route: Route, whose: str, number: int) -> str:
        """An id of one of the two, of the kind the route takes; an unknown one where there is none."""
        known = self.ids[whose][kind_of(route)]
        return known[number % len(known)] if known else str(uuid.uuid4())


def kind_of(route: Route) -> str:
    """What the id in the route's path or body is the id of."""
    return "templates" if "templates" in route[1] or route == ("POST", "/v1/reports") else "reports"


@contextmanager
def pair() -> Iterator[Pair]:
    with moto.mock_aws():
        Plant.cold_start()
        yield Pair(World())


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The AWS calls made inside, in order: what takes the time of an answer."""
    calls: list[str] = []
    services = ("dynamodb", "s3", "sqs", "ssm", "events")

    def note(model: Any, **_named: Any) -> None:
        calls.append(model.name)

    for service in services:
        client(service).meta.events.register("before-call", note, unique_id="tenancy")
    try:
        yield calls
    finally:
        for service in services:
            client(service).meta.events.unregister("before-call", unique_id="tenancy")


DOWNLOAD, RETRY, DELETE = (
    ("GET", "/v1/reports/{id}/download"),
    ("POST", "/v1/reports/{id}/retry"),
    ("DELETE", "/v1/reports/{id}"),
)
ON_REPORTS = (DOWNLOAD, RETRY, DELETE)
BOTH_WITH_ONE_OF_EACH = [
    (organization, route, "own", number, "a key" if variant else None, variant)
    for route, numbers in ((("POST", "/v1/templates"), (0, 1)), (("POST", "/v1/reports"), (0, 1)), (WORK, (0,)))
    for organization in ORGANIZATIONS
    for number in numbers
    for variant in (number,)
]
"""Each has a report that is finished and one in an error."""
EACH_ON_BOTH = [
    (organization, route, whose, number, None, 0)
    for route, number in ((DOWNLOAD, 0), (RETRY, 1), (WORK, 0), (DELETE, 0), (DELETE, 1))
    for organization in ORGANIZATIONS
    for whose in ("other's", "own")
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ORGANIZATIONS),
        # Making things has to come up more often than one route in seventeen.
        st.sampled_from([*ROUTES, *[("POST", "/v1/templates"), ("POST", "/v1/reports"), WORK] * 4, *ON_REPORTS]),
        st.sampled_from(["own", "other's"]),
        st.integers(0, 3),
        st.sampled_from([None, "a key", "b key"]),
        st.integers(0, 1),
    ),
    min_size=8,
    max_size=24,
)


# A failing run says all there is to say: making it smaller takes minutes.
@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example(BOTH_WITH_ONE_OF_EACH + EACH_ON_BOTH)
@given(STEPS)
def test_neither_sees_touches_blocks_or_replays_the_others_things(steps: list[Any]) -> None:
    seen: set[Any] = set()
    with pair() as two:
        for organization, route, whose, number, key, variant in steps:
            other = OTHER if organization == ORGANIZATION else ORGANIZATION
            target = two.rename_target(organization, route, organization if whose == "own" else other, number)
            before = two.rows_of(other)
            answer = two.call(organization, route, target, key, variant)
            text = f"{answer.body}{answer.headers}"
            hidden = {found for kind in two.ids[other].values() for found in kind} - {target}
            assert not hidden & set(UUIDS.findall(text)), (route, answer)
            assert SECRET[other] not in text, (route, answer)
            two.settle(organization)
            assert two.rows_of(other) == before, (route, answer)
            seen.add((route, answer.status))
            if whose != "own" and route in WITH_ID and target in two.ids[other][kind_of(route)]:
                event("a stranger's id")
                assert (answer.status, answer.code) == (404, "TPL-0011"), (route, answer)
            if answer.status == 201:
                replayed = answer.headers["x-idempotency-replayed"] == "true"
                assert replayed == (answer.body["id"] in two.ids[organization][route[1].split("/")[2]])
            # A key in use at one of the two never stands in the other's way.
            assert answer.code != "TPL-0040" or (organization, route, key) in two.keys
            if answer.status == 201 and key:
                two.keys.add((organization, route, key))
            two.remember(organization, route, answer)
    if steps == BOTH_WITH_ONE_OF_EACH + EACH_ON_BOTH:
        assert seen >= {(DOWNLOAD, 302), (DOWNLOAD, 404), (RETRY, 200), (RETRY, 404), (DELETE, 204), (DELETE, 404)}


def test_a_strangers_id_answers_and_works_exactly_like_one_that_does_not_exist() -> None:
    with pair() as two:
        template = two.call(OTHER, ("POST", "/v1/templates"), "", None, 0).body["id"]
        report = two.call(OTHER, ("POST", "/v1/reports"), template, None, 0).body["id"]
        two.call(ORGANIZATION, ("POST", "/v1/templates"), "", None, 0)
        for route in [*WITH_ID, ("POST", "/v1/reports")]:
            target = report if "reports/" in route[1] else template
            seen = []
            for record_id in (target, str(uuid.uuid4())):
                with recorded() as calls:
                    answer = two.call(ORGANIZATION, route, record_id, None, 0)
                # The first request of a minute takes two updates to count, whoever is asked for.
                seen.append((answer.status, answer.body, answer.headers, [call for call, _same in groupby(calls)]))
            assert seen[0] == seen[1], route
            assert seen[0][0] == 404, route


def test_a_source_of_one_is_to_the_other_as_if_there_were_none() -> None:
    with pair() as two:
        two.world.register_source("theirs", {"tables": {"t": {"a": "text"}}}, organizations=[OTHER])
        two.world.forget_sources()
        answers = []
        for name in ("theirs", "nobodys"):
            with recorded() as calls:
                told = two.world.call("GET", f"/v1/data-sources/{name}", None, {"X-Organization-Id": ORGANIZATION})
            answers.append((told, sorted(set(calls) - {"GetParametersByPath"})))
        assert answers[0] == answers[1]
        assert answers[0][0].code == "TPL-0031"
        assert two.world.call("GET", "/v1/data-sources/theirs", None, {"X-Organization-Id": OTHER}).status == 200


def test_one_key_in_two_organizations_is_two_keys_however_they_are_spelled() -> None:
    with pair() as two:
        for key in ("k", f"{OTHER}:k", "k:1"):
            answers = [two.call(organization, ("POST", "/v1/templates"), "", key, 0) for organization in ORGANIZATIONS]
            assert [answer.headers["x-idempotency-replayed"] for answer in answers] == ["false", "false"]
            assert answers[0].body["id"] != answers[1].body["id"]


def test_a_cursor_of_one_leads_the_other_to_its_own_things_only() -> None:
    with pair() as two:
        made = {
            organization: [two.call(organization, ("POST", "/v1/templates"), "", f"k{n}", n).body["id"] for n in range(3)]
            for organization in ORGANIZATIONS
        }
        headers = {"X-Organization-Id": OTHER}
        cursor = two.world.call("GET", "/v1/templates?limit=1", None, headers).body["nextCursor"]
        headers = {"X-Organization-Id": ORGANIZATION}
        listed = two.world.call("GET", f"/v1/templates?cursor={cursor}", None, headers).body["items"]
        assert {item["id"] for item in listed} <= set(made[ORGANIZATION])
