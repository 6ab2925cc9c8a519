"""Tokens for the local stack: a key of this machine's own, its public half in the local S3, and what it signs."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import RSAAlgorithm
from reporter.access.actions import ACTIONS

from local.paths import STATE
from local.stack import local_client

KEY = STATE / "token-key.pem"
KEY_ID = "local"
BUCKET = "reporter-keys"
OBJECT = "jwks.json"
ISSUER = "https://issuer.local.test/"
AUDIENCE = "reporter"
LIFETIME_SECONDS = 3600


def private_key() -> rsa.RSAPrivateKey:
    """This machine's key; made at first use, readable by its owner alone."""
    if not KEY.exists():
        KEY.parent.mkdir(exist_ok=True)
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        KEY.touch(mode=0o600)
        KEY.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(KEY.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{KEY} holds no RSA key")
    return key


def publish(endpoint: str) -> dict[str, str]:
    """Put the key set where the authorizer finds it; the parameters that switch access control on."""
    public: dict[str, Any] = {**RSAAlgorithm.to_jwk(private_key().public_key(), as_dict=True), "kid": KEY_ID, "use": "sig"}
    s3 = local_client("s3", endpoint)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=json.dumps({"keys": [public]}).encode())
    return {
        "AccessControl": "true",
        "JwksUrl": f"{endpoint}/{BUCKET}/{OBJECT}",
        "TokenIssuer": ISSUER,
        "TokenAudience": AUDIENCE,
    }


def claims_for(organizations: list[str], actions: list[str] | None = None, subject: str = "developer") -> dict[str, Any]:
    """The claims of a good token; all actions unless some are named."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "organizations": organizations,
        "permissions": sorted(set(ACTIONS.values())) if actions is None else actions,
    }


def signed(claims: dict[str, Any]) -> str:
    """A token of these claims."""
    return jwt.encode(claims, private_key(), algorithm="RS256", headers={"kid": KEY_ID})
