"""The authorizer in front of every /v1 route: whose token it is, and whether the call may go on."""

import time
from typing import Any

from reporter.access.authorize import Attempt, Rules, authorize
from reporter.access.grant import ClaimNames
from reporter.access.key_set import KeySet, fetch_key_set
from reporter.access.token import Expected
from reporter.aws.logs import log
from reporter.errors import RequestError
from reporter.headers import header_values
from reporter.settings import AuthorizerSettings

settings = AuthorizerSettings.from_env()
rules = Rules(
    keys=KeySet(
        lambda: fetch_key_set(settings.jwks_url),
        settings.token_algorithm,
        time.monotonic,
        cache_seconds=settings.jwks_cache_seconds,
        refetch_seconds=settings.jwks_refetch_seconds,
    ),
    expected=Expected(
        settings.token_algorithm,
        settings.token_issuer,
        settings.token_audience,
        settings.audience_claim,
        settings.token_leeway_seconds,
        settings.max_token_bytes,
    ),
    names=ClaimNames(settings.organizations_claim, settings.actions_claim),
)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """API Gateway's REQUEST event → a policy. Raises what the gateway answers as 401, and as 503 for anything else."""
    if not settings.access_control:
        return policy("Allow", event, {"access": "off"})
    attempt = Attempt(
        event["httpMethod"],
        event["resource"],
        header_values(event, "Authorization"),
        header_values(event, "X-Organization-Id"),
    )
    try:
        return policy("Allow", event, dict(authorize(attempt, rules)))
    except RequestError as refused:
        log.warning("refused", extra={"code": refused.code, "reason": refused.message})
        if refused.status == 403:
            return policy("Deny", event, {})
        # The gateway knows this very word, and answers with its 401.
        raise Exception("Unauthorized") from None


def policy(effect: str, event: dict[str, Any], context: dict[str, str]) -> dict[str, Any]:
    """For this method and path alone: nothing of it is cached."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": context.get("subject", "caller"),
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }
