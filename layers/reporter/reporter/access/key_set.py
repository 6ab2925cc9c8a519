"""The issuer's public keys (a JWKS, RFC 7517): fetched rarely, kept, and never fetched at a stranger's pace."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, NoReturn

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from reporter.errors import Unavailable

MAX_KEY_SET_BYTES = 256 * 1024
FETCH_SECONDS = 3
STALE_SECONDS = 24 * 3600
"""How long known keys serve while the issuer cannot be reached."""
MIN_RSA_BITS = 2048

_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class KeySet:
    """``key`` finds a key by its id. ``now`` gives seconds that never go back.

    The set is fetched again when it is older than ``cache_seconds``, or when a token names a key that is not in it; but
    never within ``refetch_seconds`` of the last try, whether that succeeded or not: unknown ids and outages are
    remembered that long.
    """

    def __init__(
        self,
        fetch: Callable[[], bytes],
        algorithm: str,
        now: Callable[[], float],
        *,
        cache_seconds: int,
        refetch_seconds: int,
    ) -> None:
        self._fetch = fetch
        self._algorithm = algorithm
        self._now = now
        self._cache_seconds = cache_seconds
        self._refetch_seconds = refetch_seconds
        self._keys: dict[str | None, PyJWK] | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None

    def key(self, key_id: str | None) -> PyJWK | None:
        """The key with that id; without an id the only key there is. None where there is none.

        Raises ``Unavailable`` when no keys are known and the issuer does not give any.
        """
        if self._keys is None or self._now() - self._fetched_at >= self._cache_seconds:
            self._refresh()
        found = self._find(key_id)
        if found is None:
            self._refresh()
            found = self._find(key_id)
        return found

    def _find(self, key_id: str | None) -> PyJWK | None:
        keys = self._keys or {}
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _refresh(self) -> None:
        now = self._now()
        if self._tried_at is None or now - self._tried_at >= self._refetch_seconds:
            self._tried_at = now
            try:
                self._keys, self._fetched_at = usable_keys(self._fetch(), self._algorithm), now
                return
            except (OSError, HTTPException, ValueError):
                if self._keys is not None and now - self._fetched_at > STALE_SECONDS:
                    self._keys = None
        if self._keys is None:
            raise Unavailable("the token issuer's key set", retry_after_seconds=self._refetch_seconds)


def usable_keys(content: bytes, algorithm: str) -> dict[str | None, PyJWK]:
    """Key id → key, of the public keys that may verify ``algorithm``. Raises ``ValueError`` for what is no JWKS."""
    parsed = json.loads(content)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("keys"), list):
        raise ValueError("not a JWKS")
    usable: dict[str | None, PyJWK] = {}
    for described in parsed["keys"]:
        if isinstance(described, dict) and _may_verify(described, algorithm):
            try:
                key = PyJWK(described, algorithm)
            except (PyJWTError, ValueError, KeyError, TypeError):
                continue
            if getattr(key.key, "key_size", MIN_RSA_BITS) >= MIN_RSA_BITS or described["kty"] != "RSA":
                usable.setdefault(described.get("kid"), key)
    return usable


def _may_verify(described: Mapping[str, Any], algorithm: str) -> bool:
    return (
        described.get("kty") == _KINDS[algorithm[:2]]
        and "d" not in described
        and described.get("use", "sig") == "sig"
        and described.get("alg", algorithm) == algorithm
        and "verify" in described.get("key_ops", ["verify"])
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> NoReturn:
        raise urllib.error.URLError("the key set's address answers with a redirect")


def fetch_key_set(url: str) -> bytes:
    """The bytes at ``url``, without following redirects. Raises ``OSError`` or ``ValueError``."""
    opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=FETCH_SECONDS) as answer:
        content: bytes = answer.read(MAX_KEY_SET_BYTES + 1)
    if len(content) > MAX_KEY_SET_BYTES:
        raise ValueError("the key set is too large")
    return content
