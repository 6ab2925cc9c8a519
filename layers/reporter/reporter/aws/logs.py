"""Logs: one JSON object a line, made of ids, codes and numbers; never tokens, URLs, filter values or rows.

Importing this gives the logger ``reporter``, which every module writes to, its form. Line breaks, control
characters and all that is not ASCII are escaped, so nothing a caller sends can begin a line of its own.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from reporter.headers import header_values
from reporter.request import UUID_PATTERN

_ascii = json.JSONEncoder(default=str, separators=(",", ":")).encode
log = Logger(service="reporter", utc=True, use_rfc3339=True, json_serializer=_ascii)


def unexpected(error: BaseException, **about: Any) -> None:
    """An error nobody foresaw: its type and place. Its text may hold data, and stays out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    log.error("unexpected", extra={"type": type(error).__name__, "place": place, **about})


def answered(
    event: Mapping[str, Any], context: Any, resolve: Callable[[Mapping[str, Any], Any], dict[str, Any]]
) -> dict[str, Any]:
    """Answer an HTTP call, and leave a line about it. Everything written meanwhile carries the call's correlation id."""
    with log.append_context_keys(correlation_id=correlation_id(event)):
        begun = time.monotonic()
        answer = resolve(event, context)
        sent = header_values(event, "X-Organization-Id")
        about = {
            "method": event.get("httpMethod"),
            "route": event.get("resource"),
            "status": answer["statusCode"],
            "organization_id": sent[0].lower() if len(sent) == 1 and UUID_PATTERN.fullmatch(sent[0]) else None,
            "milliseconds": round((time.monotonic() - begun) * 1000),
        }
        log.info("answered", extra=about)
        return answer


def correlation_id(event: Mapping[str, Any]) -> str | None:
    """The id that API Gateway or EventBridge gave to what came in; it stays with the report to its document."""
    found = (event.get("requestContext") or {}).get("requestId") or event.get("id")
    return found if isinstance(found, str) and len(found) <= 128 and found.isascii() and found.isprintable() else None
