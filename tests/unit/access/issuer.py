"""A token issuer with keys of its own, and ways to get a token wrong."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from reporter.access.key_set import KeySet
from reporter.access.token import Expected

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
OTHER = "0192f000-0000-7000-8000-00000000000b"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
EXPECTED = Expected("RS256", "https://issuer.test/", "reporter")


def rsa_jwk(key: rsa.RSAPrivateKey = RSA_KEY, **more: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one", "use": "sig", **more}


def ec_jwk(**more: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "two", **more}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change to None leaves the claim out."""
    now = int(time.time())
    good = {
        "iss": EXPECTED.issuer,
        "aud": EXPECTED.audience,
        "sub": "auditor",
        "iat": now,
        "exp": now + 600,
        "organizations": [ORGANIZATION],
        "permissions": ["reports:get", "reports:post"],
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(header: dict[str, Any] | None = None, key: Any = RSA_KEY, algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": "one", **(header or {})})


def part(text: str | dict[str, Any]) -> str:
    content = text if isinstance(text, str) else json.dumps(text)
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


class Endpoint:
    """A key set's address that counts, changes and fails as it is told."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.calls = 0
        self.down = False
        self.time = 0.0

    def __call__(self) -> bytes:
        self.calls += 1
        if self.down:
            raise ConnectionRefusedError
        return json.dumps({"keys": self.keys}).encode()

    def key_set(self, algorithm: str = "RS256") -> KeySet:
        return KeySet(self, algorithm, lambda: self.time, cache_seconds=600, refetch_seconds=60)
