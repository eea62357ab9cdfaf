"""What a client may have at most can be narrowed by search parameters, as far as these can be held to."""

from __future__ import annotations

import pytest

from connector.errors import ProfileError
from connector.profile import parse
from tests.profile.test_model import SMALL, TO_V2

PLAIN = 'clients.app = ["system/Patient.cu"]'


def client(*scopes: str) -> bytes:
    listed = ", ".join(f"'{one}'" for one in scopes)
    assert PLAIN in TO_V2
    return (SMALL + TO_V2.replace(PLAIN, f"clients.app = [{listed}]")).encode()


@pytest.mark.parametrize(
    "scope",
    [
        "system/Observation.cu?category=laboratory",
        "system/Observation.cud?category=http://c.test|laboratory,http://c.test|vital-signs&status=final",
        "system/Patient.c?identifier=urn:oid:1.2.3|",
        "system/Patient.c?active=true",
    ],
)
def test_a_narrowed_scope_that_can_be_held_to_is_taken(scope: str) -> None:
    caller = parse(client("system/Encounter.c", scope)).fhir.caller
    assert caller is not None
    assert caller.clients["app"] == ("system/Encounter.c", scope)


@pytest.mark.parametrize(
    "scope",
    [
        "system/Observation.cu?date=gt2020",
        "system/Observation.cu?category:not=laboratory",
        "system/Observation.cu?category=",
        "system/Observation.cu?",
        "system/*.cu?category=laboratory",
        "system/Observation.write?category=laboratory",
        "system/Observation.uc?category=laboratory",
        "system/Patient.c?active=yes",
        "system/Banana.c?active=true",
        "system/Banana.c",
        "system/Resource.c",
        "system/Patient.c?name=Muster",
    ],
)
def test_any_other_is_a_fault_at_its_line(scope: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(client("system/Encounter.c", scope))
    line = 1 + client("").decode().splitlines().index("clients.app = ['']")
    assert caught.value.location.endswith(f":{line}")
    assert "Muster" not in str(caught.value)
