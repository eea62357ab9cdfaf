"""What the check of an access token costs, and that of its scopes, against the figures that were promised."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from benchmarks.report import Row, Say, percentile
from connector.edges import scopes
from connector.edges.issuer_keys import IssuerKeys
from connector.edges.jwks import VerifyingKeys
from connector.edges.oauth import Issuer, TokenGuard, thumbprint_of
from connector.edges.partners import Caller, Callers
from connector.profile.endpoint import FhirCaller

TOKEN_TARGET: Final = 150.0  # microseconds
SCOPE_TARGET: Final = 20.0
QUICK = 200  # tokens of each kind
_AT: Final = "https://issuer.test"
_PEER: Final = f"sha256:{'ab' * 32}"
_ALGORITHMS: Final = ("RS384", "PS256", "ES256", "ES384")
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384"}
_SCOPES: Final = (
    "system/Patient.cu system/Encounter.cu system/DiagnosticReport.cud system/ServiceRequest.write "
    "system/Observation.cu?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory "
    "system/Condition.c system/Procedure.c system/Specimen.cu"
)
_OBSERVATION: Final = {
    "resourceType": "Observation",
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory",
                }
            ]
        }
    ],
}


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """Rows: a token seen for the first time by algorithm, one seen before, and one decision on scopes."""
    say("checks of tokens and scopes")
    rounds = QUICK if quick else 2000
    return [*_tokens(rounds), *_scopes(rounds * 5)]


def _tokens(rounds: int) -> list[Row]:
    keys: dict[str, ECKey | RSAKey] = {
        name: ECKey.generate_key(_CURVES[name]) if name in _CURVES else RSAKey.generate_key(2048)
        for name in _ALGORITHMS
    }
    callers = _callers(keys)
    rows = [
        _row(
            f"token never seen before, {name}",
            _times(callers, _shown(name, keys[name], rounds)),
            TOKEN_TARGET,
        )
        for name in _ALGORITHMS
    ]
    again = _shown("ES384", keys["ES384"], 1) * (rounds + 1)
    return [*rows, _row("token seen before, any algorithm", _times(callers, again), TOKEN_TARGET)]


def _callers(keys: dict[str, ECKey | RSAKey]) -> Callers:
    """As the API asks: among a hundred links, the one of the token's issuer and client."""
    entries = [{**key.as_dict(private=False), "kid": name} for name, key in keys.items()]

    async def load() -> VerifyingKeys:
        return VerifyingKeys.published({"keys": entries}, _ALGORITHMS, "benchmark")

    issuer = Issuer(_AT, _AT, frozenset({"app"}), _ALGORITHMS, bound=True)
    guard = TokenGuard(issuer, IssuerKeys(load))
    asked: dict[str, Any] = {"issuer": _AT, "audience": _AT, "jwks_url": f"{_AT}/keys"}
    others = [FhirCaller(**asked, clients={f"app-{at}": ("system/*.c",)}) for at in range(99)]
    ours = FhirCaller(**asked, clients={"app": ("system/*.cud",)})
    return Callers([Caller(one, _PEER.__eq__, guard) for one in (*others, ours)])


def _shown(name: str, key: Any, count: int) -> list[list[str]]:
    """That many tokens, all different, as Authorization headers."""
    now, found = int(time.time()), []
    registry = jws.JWSRegistry(algorithms=[name], strict_check_header=False)
    for number in range(count):
        claims = {
            "iss": _AT, "aud": _AT, "sub": "app", "client_id": "app", "jti": f"{number:032}", "iat": now,
            "exp": now + 300, "scope": _SCOPES, "cnf": {"x5t#S256": thumbprint_of(_PEER)},
        }  # fmt: skip
        head = {"alg": name, "typ": "at+jwt", "kid": name}
        token = jws.serialize_compact(head, json.dumps(claims).encode(), key, registry=registry)
        found.append([f"Bearer {token}"])
    return found


def _times(callers: Callers, shown: list[list[str]]) -> list[float]:
    """Microseconds of each check, after one that has the keys fetched."""

    async def checked() -> list[float]:
        await callers.check(shown[0], _PEER)
        taken = []
        for headers in shown[1:]:
            start = time.perf_counter()
            await callers.check(headers, _PEER)
            taken.append((time.perf_counter() - start) * 1e6)
        return taken

    return asyncio.run(checked())


def _scopes(rounds: int) -> list[Row]:
    granted = scopes.within(scopes.parse(_SCOPES), scopes.parse("system/*.cud"))
    asked = (
        ("scope check, granted", ("Condition", "c", None), True),
        ("scope check, refused", ("Coverage", "c", None), False),
        ("scope check, narrowed, by the resource", ("Observation", "u", _OBSERVATION), True),
    )
    rows = []
    for what, (kind, verb, resource), expected in asked:
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            found = scopes.allows(granted, kind, verb, resource)
            taken.append((time.perf_counter() - start) * 1e6)
            assert found is expected
        rows.append(_row(what, taken, SCOPE_TARGET))
    return rows


def _row(what: str, taken: list[float], target: float) -> Row:
    middle = percentile(taken, 0.5)
    figure = f"{middle:.1f} us (p99 {percentile(taken, 0.99):.1f})"
    return Row("oauth", what, figure, target=f"under {target:g} us", met=middle < target)
