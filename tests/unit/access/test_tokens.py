"""Tokens: one right form, and everything else refused before it is believed."""

import base64
import hashlib
import hmac
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from reporter.access.token import bearer_token, verified_claims
from reporter.errors import RequestError, Unavailable

from tests.unit.access.issuer import (
    EC_KEY,
    EXPECTED,
    RSA_KEY,
    STRANGER,
    Endpoint,
    claims,
    ec_jwk,
    part,
    rsa_jwk,
    token,
)


def refused(text: str, **expected: Any) -> str:
    with pytest.raises(RequestError) as error:
        verified_claims(text, Endpoint(rsa_jwk()).key_set(), replace(EXPECTED, **expected))
    assert error.value.code == "TPL-0401"
    assert len(error.value.message) < 100
    return error.value.message


def test_a_good_token_is_believed() -> None:
    assert verified_claims(token(), Endpoint(rsa_jwk()).key_set(), EXPECTED)["sub"] == "auditor"
    assert verified_claims(token(aud=["a", "reporter"]), Endpoint(rsa_jwk()).key_set(), EXPECTED)
    assert verified_claims(token({"typ": "at+jwt"}), Endpoint(rsa_jwk()).key_set(), EXPECTED)


def test_another_algorithm_can_be_chosen_and_then_is_the_only_one() -> None:
    expected = replace(EXPECTED, algorithm="ES256")
    keys = Endpoint(rsa_jwk(), ec_jwk()).key_set("ES256")
    assert verified_claims(token({"kid": "two"}, EC_KEY, "ES256"), keys, expected)
    with pytest.raises(RequestError, match="not signed with ES256"):
        verified_claims(token(), keys, expected)


def signed_by_hand(header: dict[str, Any], secret: bytes) -> str:
    text = f"{part(header)}.{part(claims())}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


PUBLIC = RSA_KEY.public_key()
PUBLIC_FORMS = {
    "pem": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "pkcs1 pem": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "der": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "jwk": json.dumps(rsa_jwk()).encode(),
}


@pytest.mark.parametrize("form", PUBLIC_FORMS)
def test_a_public_key_is_no_secret_to_sign_with(form: str) -> None:
    forged = signed_by_hand({"alg": "HS256", "typ": "JWT", "kid": "one"}, PUBLIC_FORMS[form])
    assert "not signed with RS256" in refused(forged)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "NONE", "", "HS256", "rs256", "RS512", "PS256", None, 1, ["RS256"]]
)
def test_only_the_one_algorithm_is_taken(algorithm: Any) -> None:
    for signature in ("", "AA"):
        refused(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}.{signature}")


def now() -> int:
    """When the test runs: the tests before it may take their time."""
    return int(time.time())


WRONG: dict[str, Callable[[], str]] = {
    "another key's": lambda: token(key=STRANGER),
    "an unknown key id": lambda: token({"kid": "nobody"}),
    "a key id that is no text": lambda: f"{part({'alg': 'RS256', 'kid': ['one']})}.{part(claims())}.AA",
    "a path for a key id": lambda: token({"kid": "../../../../dev/null"}),
    "a key of its own in the header": lambda: token({"jwk": rsa_jwk(STRANGER), "kid": "x"}, STRANGER),
    "an address of keys in the header": lambda: token({"jku": "https://evil.test/k", "kid": "x"}, STRANGER),
    "a critical extension": lambda: token({"crit": ["exp"]}),
    "another issuer": lambda: token(iss="https://evil.test/"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="somebody"),
    "no audience": lambda: token(aud=None),
    "an audience that begins alike": lambda: token(aud="reporter2"),
    "an audience that is no text": lambda: f"{part({'alg': 'RS256', 'kid': 'one'})}.{part(claims(aud={'reporter': 1}))}.AA",
    "expired": lambda: token(exp=now() - 61),
    "no expiry": lambda: token(exp=None),
    "an expiry as text": lambda: token(exp=str(now() + 600)),
    "an expiry as a fraction": lambda: token(exp=now() + 600.5),
    "an endless expiry": lambda: by_hand('{"exp": 1e999}'),
    "an expiry beyond time": lambda: token(exp=10**30),
    "an expiry that is true": lambda: token(exp=True),
    "not valid yet": lambda: token(nbf=now() + 120),
    "issued in the future": lambda: token(iat=now() + 120),
    "no subject": lambda: token(sub=None),
    "an id token by its use": lambda: token(token_use="id"),
    "an id token by its nonce": lambda: token(nonce="n"),
    "an id token by its hash": lambda: token(at_hash="h"),
    "another kind of token": lambda: token({"typ": "logout+jwt"}),
    "a claim twice": lambda: by_hand(json.dumps(claims())[:-1] + ', "sub": "root"}'),
    "a header member twice": lambda: part('{"alg": "RS256", "alg": "none"}') + f".{part(claims())}.AA",
    "not a number": lambda: by_hand('{"exp": NaN}'),
    "deep": lambda: by_hand("[" * 3000 + "]" * 3000),
    "a list": lambda: by_hand("[]"),
    "no JSON": lambda: "e30x.e30x.AA",
    "two parts": lambda: "e30.e30",
    "five parts (encrypted)": lambda: "e30.e30.e30.e30.e30",
    "blanks inside": lambda: token().replace(".", ". ", 1),
    "other characters": lambda: token()[:-3] + "é+/",
    "empty": lambda: "",
    "large": lambda: token(more="x" * 100_000),
    "a changed letter of the claims": lambda: changed(token()),
}


def by_hand(payload: str) -> str:
    return f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'one'})}.{part(payload)}.AA"


def changed(good: str) -> str:
    head, _payload, signature = good.split(".")
    return f"{head}.{part(claims(sub='root'))}.{signature}"


@pytest.mark.parametrize("what", WRONG)
def test_a_token_that_is_wrong_anywhere_is_refused_quickly(what: str) -> None:
    text = WRONG[what]()
    tracemalloc.start()
    begun = time.process_time()
    refused(text)
    assert time.process_time() - begun < 1
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    keys = Endpoint(rsa_jwk()).key_set()
    now = int(time.time())
    assert verified_claims(token(exp=now - 20, nbf=now + 20), keys, EXPECTED)
    refused(token(exp=now - 20), leeway_seconds=10)


def test_a_cognito_access_token_names_its_client_instead_of_an_audience() -> None:
    text = token(aud=None, client_id="reporter", token_use="access")
    expected = replace(EXPECTED, audience_claim="client_id")
    assert verified_claims(text, Endpoint(rsa_jwk()).key_set(), expected)
    refused(text)


@pytest.mark.parametrize(
    "values", [[], [""], ["Bearer"], ["Bearer "], ["Basic dTpw"], ["Token x"], ["x"], ["Bearer a", "Bearer a"]]
)
def test_one_bearer_token_is_needed(values: list[str]) -> None:
    with pytest.raises(RequestError) as error:
        bearer_token(values)
    assert error.value.code == "TPL-0401"


def test_the_scheme_is_known_in_any_case() -> None:
    assert bearer_token(["bEaReR  abc "]) == "abc"


# -- the key set


def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    endpoint = Endpoint(rsa_jwk())
    keys = endpoint.key_set()
    for _ in range(5):
        assert keys.key("one")
    assert endpoint.calls == 1
    endpoint.time = 601
    assert keys.key("one")
    assert endpoint.calls == 2


def test_unknown_key_ids_do_not_make_it_fetch_at_a_strangers_pace() -> None:
    endpoint = Endpoint(rsa_jwk())
    keys = endpoint.key_set()
    for number in range(1000):
        assert keys.key(f"nobody {number}") is None
    assert endpoint.calls == 1
    endpoint.keys.append(rsa_jwk(STRANGER, kid="new"))
    endpoint.time = 61
    assert keys.key("new")
    assert endpoint.calls == 2


def test_an_outage_is_remembered_too_and_known_keys_serve_meanwhile() -> None:
    endpoint = Endpoint(rsa_jwk())
    endpoint.down = True
    keys = endpoint.key_set()
    for _ in range(10):
        with pytest.raises(Unavailable):
            keys.key("one")
    assert endpoint.calls == 1
    endpoint.down, endpoint.time = False, 61
    assert keys.key("one")
    endpoint.down, endpoint.time = True, 5000
    assert keys.key("one")
    endpoint.time = 61 + 24 * 3600 + 120
    with pytest.raises(Unavailable):
        keys.key("one")


def test_a_withdrawn_key_is_gone_with_the_next_fetch() -> None:
    endpoint = Endpoint(rsa_jwk(), rsa_jwk(STRANGER, kid="old"))
    keys = endpoint.key_set()
    assert keys.key("old")
    endpoint.keys.pop()
    endpoint.time = 601
    assert keys.key("old") is None


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.parametrize(
    "jwk",
    [
        rsa_jwk(use="enc"),
        rsa_jwk(alg="RS512"),
        rsa_jwk(key_ops=["encrypt"]),
        rsa_jwk(SMALL),
        {"kty": "oct", "kid": "one", "k": "c2VjcmV0"},
        ec_jwk(kid="one"),
        {"kty": "RSA", "kid": "one", "n": "!!", "e": "AQAB"},
        {"kty": "RSA", "kid": "one"},
    ],
)
def test_keys_that_may_not_verify_are_no_keys(jwk: dict[str, Any]) -> None:
    assert Endpoint(jwk).key_set().key("one") is None


def test_without_a_key_id_the_only_key_is_meant() -> None:
    assert Endpoint(rsa_jwk()).key_set().key(None)
    assert Endpoint(rsa_jwk(), rsa_jwk(STRANGER, kid="b")).key_set().key(None) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": 1}', b"<html>"])
def test_an_answer_that_is_no_key_set_is_an_outage(content: bytes) -> None:
    endpoint = Endpoint()
    keys = endpoint.key_set()
    keys._fetch = lambda: content
    with pytest.raises(Unavailable):
        keys.key("one")
