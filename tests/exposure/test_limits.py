"""Every number of the settings and of a profile is a limit that is proven, or says that it is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from connector.edges.authorization_http import Limits as TokenLimits
from connector.edges.login_desk import LoginDesk
from connector.limits import PROFILE, SETTINGS, Limit
from connector.pipeline.emergency import Glass
from connector.profile.schema import schema, schema_of
from connector.settings import Settings
from connector.wiring.cosigning import Cosigning
from connector.wiring.feeds import Feeds
from connector.wiring.listeners import fhir_app, https_server, mllp_server
from connector.wiring.sealing import Sealing
from connector.wiring.stamping import Stamping
from connector.wiring.vouching import Vouching
from tests.exposure.limits_page import PAGE, PROOFS, ROOT, described, rendered

ALL: Final = (*SETTINGS, *PROFILE)
NONE_OF_THEM: Final = {  # numbers that bound nothing of what comes in
    "mllp.port", "https.port", "drain_seconds", "v2.to.port", "v2.to.connections", "v2.to.idle_seconds",
    "v2.to.keep_alive_seconds", "fhir.connections", "audit.retention_years",
    "audit.witness.required", "audit.stamp.every_seconds",
    *(f"audit.feed.{kind}.{key}" for kind in ("syslog", "fhir")
      for key in ("batch", "first_seconds", "most_seconds", "alarm_seconds")),
    *(f"audit.feed.syslog.{key}"
      for key in ("port", "facility", "confirm_seconds", "dead_seconds", "again")),
}  # fmt: skip
TABLES: Final = (
    "mllp",
    "https",
    "login",
    "break_glass",
    "audit",
    "audit.feed.syslog",
    "audit.feed.fhir",
    "audit.witness",
    "audit.stamp",
    "limits",
    "v2.to",
    "fhir",
)


def numbers(root: dict[str, Any], table: str) -> set[str]:
    """The keys of a table that take a number."""
    try:
        properties = described(root, table)["properties"]
    except KeyError:
        return set()
    return {f"{table}.{key}" for key, one in properties.items() if one.get("type") in ("integer", "number")}


def test_no_number_is_neither_a_limit_nor_said_to_be_none() -> None:
    found = {
        key for root in (schema_of(Settings), schema()) for table in TABLES for key in numbers(root, table)
    }
    assert found - {one.key for one in ALL} - NONE_OF_THEM == set()


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.key)
def test_every_limit_has_a_default_and_a_range(limit: Limit) -> None:
    said = described(schema_of(Settings) if limit in SETTINGS else schema(), limit.key)
    assert "default" in said
    assert "maximum" in said
    assert "minimum" in said or "exclusiveMinimum" in said


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.key)
def test_every_limit_has_a_test_and_says_what_passes_it(limit: Limit) -> None:
    file, _, test = PROOFS[limit.key].partition("::")
    assert re.search(rf"def {test}", (ROOT / file).read_text())
    assert (limit.error is None) != (limit.otherwise == "")


def test_what_is_proven_is_in_the_table() -> None:
    assert set(PROOFS) == {one.key for one in ALL}
    assert len(ALL) == len({one.key for one in ALL})


def test_the_page_says_what_the_table_and_the_models_say() -> None:
    assert PAGE.read_text() == rendered()


@pytest.mark.parametrize("limit", SETTINGS, ids=lambda limit: limit.key)
def test_every_limit_of_the_settings_reaches_its_listener(limit: Limit) -> None:
    places = {"authorization": TokenLimits.of, "login": LoginDesk.__init__, "break_glass": Glass.break_it}
    places |= {"audit": Sealing.__init__, "audit.feed.syslog": Feeds.begin, "audit.feed.fhir": Feeds.begin}
    places |= {"audit.witness": Vouching.__init__, "audit.stamp": Vouching.__init__}
    places["audit.witness.silent_after_seconds"] = Cosigning.__init__
    places["audit.stamp.silent_after_seconds"] = Stamping.__init__
    table, _, key = limit.key.rpartition(".")
    wiring = Path(places.get(limit.key, places.get(table, mllp_server)).__code__.co_filename).read_text()
    assert {mllp_server.__module__, fhir_app.__module__, https_server.__module__} == {mllp_server.__module__}
    assert re.search(rf"\b(?:mllp|https|chosen)\.{key}\b", wiring)
