"""HTTP by API Gateway: what every call shares. Headers, bodies, queries, and the one shape of an error."""

import base64
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from reporter.aws.logs import correlation_id, log
from reporter.aws.logs import unexpected as log_unexpected
from reporter.aws.routes import methods_of
from reporter.errors import CODES, FieldProblem, RequestError, SourceResting, Unavailable
from reporter.exact_json import parse_json, write_json
from reporter.headers import header_values
from reporter.idempotency import check_key
from reporter.limit import passed
from reporter.request import parse_organization, parse_uuid

PROBLEM = "application/problem+json"
MAX_PLAIN_TEXT = 1_000_000
"""Bytes. JSON's escapes can make six of one, and Lambda's answers end at 6,291,456."""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def make_resolver() -> APIGatewayRestResolver:
    """A resolver that answers every error with the contract's body."""
    app = APIGatewayRestResolver(debug=False)

    def refused(error: RequestError) -> Response[str]:
        log.info("refused", extra={"code": error.code})
        return problem(error.code, error.message, error.fields, error.status, _retry_after(error.retry_after_seconds))

    def unavailable(error: Unavailable) -> Response[str]:
        log.warning("unavailable", extra={"what": error.message})
        return problem(error.code, error.message, None, 503, _retry_after(error.retry_after_seconds))

    def resting(error: SourceResting) -> Response[str]:
        log.warning("unavailable", extra={"what": error.message})
        return problem("TPL-0018", error.message, headers=_retry_after(ceil(error.seconds)))

    def unexpected(error: Exception) -> Response[str]:
        log_unexpected(error)
        return problem("TPL-0018", "something unexpected happened", status=500)

    def no_route(_error: NotFoundError) -> Response[str]:
        # The gateway sends every method of a path to one door; the description knows those of all doors.
        allowed = methods_of(app.current_event.path)
        return problem("TPL-0049", headers={"Allow": ", ".join(allowed)}) if allowed else problem("TPL-0048")

    app.exception_handler(RequestError)(refused)
    app.exception_handler(Unavailable)(unavailable)
    app.exception_handler(SourceResting)(resting)
    app.exception_handler(Exception)(unexpected)
    app.not_found(no_route)
    return app


def problem(
    code: str,
    message: str | None = None,
    fields: Mapping[str, FieldProblem] | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """RFC 9457's members and the peer's in one object. ``message``: by default when the code is given."""
    known = CODES[code]
    status, message = status or known.status, message or known.when
    body: dict[str, Any] = {
        "type": f"urn:reporter:error:{code}",
        "title": known.title,
        "status": status,
        "detail": message,
        "code": code,
        "message": message,
    }
    if fields:
        body["fields"] = fields
    return Response(status_code=status, content_type=PROBLEM, body=write_json(body), headers={**_HEADERS, **(headers or {})})


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """JSON, numbers digit for digit; None gives an empty body."""
    if body is None:
        return Response(status_code=status, content_type=None, body="", headers={**_HEADERS, **(headers or {})})
    return file_answer(write_json(body).encode(), "application/json", headers or {}, status)


def attachment(name: str) -> str:
    """A ``Content-Disposition`` by RFC 6266: the name in ASCII for old clients, and as it is for the others."""
    name = "".join(filter(str.isprintable, name))
    plain = re.sub(r"[^ !#-\[\]-~]", "", name).strip()
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_answer(content: bytes, content_type: str, headers: Mapping[str, str], status: int = 200) -> Response[Any]:
    """Any bytes. They travel as base64, which adds a third, unless they are text that stays short however it is escaped."""
    made: Response[Any] = Response(status_code=status, content_type=content_type, headers={**_HEADERS, **headers})
    if len(content) <= MAX_PLAIN_TEXT:
        with suppress(UnicodeDecodeError):
            made.body = content.decode()
            return made
    made.body, made.base64_encoded = base64.b64encode(content).decode(), True
    return made


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


def created(record: Any, kind: str, replayed: bool) -> Response[str]:
    """201 for what a key stands for, new or replayed."""
    headers = {"Location": f"{kind}/{record.id}", "X-Idempotency-Replayed": "true" if replayed else "false"}
    return answer(HTTPStatus.CREATED, record.as_answer(), headers)


class Call:
    """One HTTP call, read by the contract's rules. Every method raises ``RequestError``."""

    def __init__(self, app: APIGatewayRestResolver) -> None:
        self._event = app.current_event
        if not self._event.path.isprintable():
            # A route's pattern overlooks a line feed at the end.
            raise RequestError("TPL-0048", CODES["TPL-0048"].when)
        method = self._event.http_method
        if method != method.upper():
            # The resolver overlooks case; but only before the exact methods does the gateway ask the authorizer.
            raise NotFoundError

    def _header(self, name: str) -> str | None:
        found = header_values(self._event.raw_event, name)
        if len(found) > 1:
            raise RequestError.at("TPL-0004", name, "must be sent once")
        return str(found[0]) if found else None

    def organization(self) -> str:
        """TPL-0004 unless the header holds one UUID, and not that of nobody."""
        caller, value = self._caller, self._header("X-Organization-Id")
        if value is None:
            raise RequestError.at("TPL-0004", "X-Organization-Id", "is required")
        organization = parse_organization(value, "X-Organization-Id")
        if caller["access"] == "on" and caller.get("organization") != organization:
            raise RequestError("TPL-0403", "the token was not checked for this organization")
        return organization

    def subject(self) -> str | None:
        """Whose token it is; None where access control is off."""
        return self._caller.get("subject")

    def correlation_id(self) -> str | None:
        """The id this call has in all logs."""
        return correlation_id(self._event.raw_event)

    def allow(self, action: str) -> None:
        """TPL-0403 unless the caller's token allows this too, besides the route's own action."""
        if self._caller["access"] == "on" and action not in self._caller.get("actions", "").split():
            raise RequestError("TPL-0403", f"the token does not allow {action}")

    @property
    def _caller(self) -> Mapping[str, str]:
        """What the authorizer found out. TPL-0401 when nobody has asked it: then nobody may do anything."""
        told: Mapping[str, str] = (self._event.raw_event.get("requestContext") or {}).get("authorizer") or {}
        if told.get("access") not in {"on", "off"}:
            raise RequestError("TPL-0401", "nobody has checked who calls")
        return told

    def idempotency_key(self) -> str | None:
        """``X-Idempotency`` or its alias ``Idempotency-Key``; TPL-0004 when malformed or both differ."""
        own, alias = self._header("X-Idempotency"), self._header("Idempotency-Key")
        if own is not None and alias is not None and own != alias:
            raise RequestError.at("TPL-0004", "X-Idempotency", "differs from Idempotency-Key")
        return check_key(own if own is not None else alias)

    def content_type(self) -> str:
        """As sent; empty where there is none."""
        return self._header("Content-Type") or ""

    def body(self) -> bytes:
        """The body's bytes, however API Gateway passed them."""
        text = self._event.body or ""
        if self._event.is_base64_encoded:
            return base64.b64decode(text)
        return text.encode("utf-8", "surrogatepass")

    def json(self, max_bytes: int) -> Any:
        """The parsed body: TPL-0047 when too large, TPL-0017 when it is no strict JSON."""
        content = self.body()
        if len(content) > max_bytes:
            raise RequestError("TPL-0047", passed("the body has", max_bytes, "bytes", "send less in it", "MaxBodyBytes"))
        try:
            return parse_json(content.decode())
        except UnicodeDecodeError:
            raise RequestError.at("TPL-0017", "body", "is not UTF-8") from None

    def path_id(self, value: str) -> str:
        """TPL-0009 unless it is a UUID."""
        return parse_uuid(value, "TPL-0009", "id")

    def query(self, *names: str) -> str | None:
        """One query parameter under any of its names. TPL-0019 when it is there twice."""
        several = self._event.raw_event.get("multiValueQueryStringParameters") or {}
        single = self._event.raw_event.get("queryStringParameters") or {}
        merged = {**{name: [value] for name, value in single.items()}, **several}
        found = [value for name in names for value in merged.get(name, [])]
        if len(found) > 1:
            raise RequestError.at("TPL-0019", names[0], "must be given once")
        return found[0] if found else None

    def number(self, name: str, default: int, check: Callable[[int], bool], code: str, wanted: str) -> int:
        """A whole number in the query."""
        text = self.query(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII) or not check(int(text)):
            raise RequestError.at(code, name, f"must be {wanted}")
        return int(text)

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false`` in the query."""
        text = self.query(name)
        if text is None:
            return default
        if text.lower() not in {"true", "false"}:
            raise RequestError.at("TPL-0019", name, "must be true or false")
        return text.lower() == "true"

    def day(self, *names: str) -> datetime | None:
        """A date in the query: TPL-0020 unless YYYY-MM-DD."""
        text = self.query(*names)
        if text is None:
            return None
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
                raise ValueError(text)
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            raise RequestError.at("TPL-0020", names[0], "must be a date like 2024-05-31") from None
