"""Bearer tokens: a JWT's signature, algorithm, issuer, audience and times, checked without a second guess."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import jwt

from reporter.access.grant import malformed
from reporter.access.key_set import KeySet
from reporter.errors import RequestError
from reporter.exact_json import parse_json

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_ACCESS_TOKENS = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_LAST_SECOND = 253_402_300_799
"""Of the year 9999: a time is whole seconds since 1970 that a calendar can hold."""
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. ``algorithm``: the only one. ``audience_claim``: ``aud``, or Cognito's ``client_id``."""

    algorithm: str
    issuer: str
    audience: str
    audience_claim: str = "aud"
    leeway_seconds: int = 30
    max_bytes: int = 8192


def bearer_token(values: list[str]) -> str:
    """The token of the Authorization headers sent. Raises ``RequestError`` TPL-0401 unless there is just one, a bearer's."""
    if len(values) != 1:
        raise RequestError("TPL-0401", "a bearer token is needed" if not values else "Authorization must be sent once")
    scheme, _, token = values[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RequestError("TPL-0401", "a bearer token is needed")
    return token.strip()


def verified_claims(token: str, keys: KeySet, expected: Expected) -> Mapping[str, Any]:
    """The claims of a token that is right in every respect.

    Raises ``RequestError`` TPL-0401 saying what is wrong, never what it says; ``Unavailable`` when no keys can be had.
    """
    if len(token) > expected.max_bytes:
        _refuse(f"the token is longer than {expected.max_bytes} bytes")
    if not _TOKEN.fullmatch(token):
        _refuse("the token is not a signed JWT")
    header, claims = (_strict(part) for part in token.split(".")[:2])
    _check_header(header, expected)
    _check_claims(claims, expected)
    key = keys.key(header.get("kid"))
    if key is None:
        _refuse("the token is signed with an unknown key")
    try:
        jwt.decode(
            token,
            key,
            algorithms=[expected.algorithm],
            issuer=expected.issuer,
            leeway=expected.leeway_seconds,
            options={"require": ["exp", "iss", "sub"], "verify_aud": False, "verify_iat": True, "verify_nbf": True},
        )
    except jwt.ExpiredSignatureError:
        _refuse("the token has expired")
    except jwt.ImmatureSignatureError:
        _refuse("the token is not valid yet")
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        _refuse("the token's signature or issuer is wrong")
    return claims


def _strict(part: str) -> Mapping[str, Any]:
    """One part as JSON without duplicate members: two readers must not read two tokens."""
    try:
        value = parse_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (RequestError, binascii.Error, UnicodeDecodeError):
        _refuse("the token is not a signed JWT")
    if not isinstance(value, Mapping):
        _refuse("the token is not a signed JWT")
    return value


def _check_header(header: Mapping[str, Any], expected: Expected) -> None:
    if header.get("alg") != expected.algorithm:
        _refuse(f"the token is not signed with {expected.algorithm}")
    if "crit" in header or "b64" in header:
        _refuse("the token asks for extensions that are not known here")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _ACCESS_TOKENS:
        _refuse("the token is not an access token")
    if not isinstance(header.get("kid"), str | None):
        _refuse("the token's key id is malformed")


def _check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("token_use", "access") != "access" or not _ID_TOKEN_CLAIMS.isdisjoint(claims):
        _refuse("the token is not an access token")
    for name in ("exp", "iat", "nbf"):
        if name in claims and (type(claims[name]) is not int or not 0 <= claims[name] <= _LAST_SECOND):
            raise malformed(name)
    audience = claims.get(expected.audience_claim)
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or expected.audience not in named:
        _refuse("the token is meant for another audience")


def _refuse(reason: str) -> NoReturn:
    raise RequestError("TPL-0401", reason)
