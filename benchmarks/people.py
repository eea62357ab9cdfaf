"""Messages of a hospital that does not exist: every patient comes once, staff and wards come again and again.

Deterministic: the same number gives the same message. Sent as the demo's hospital (``STVADT``, ``STV``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

STAFF: Final = 400
WARDS: Final = 40
_FAMILIES: Final = ("Adler", "Brandt", "Conrad", "Dorn", "Ebner", "Falk", "Gruber", "Haas", "Imhof", "Jost")
_GIVEN: Final = ("Anna", "Bela", "Clara", "David", "Edda", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Klara")
_CITIES: Final = ("Musterstadt", "Neudorf", "Altenberg", "Seefeld", "Waldhausen")
_DIAGNOSES: Final = (
    "I21.9^Acute myocardial infarction, unspecified",
    "K80.2^Calculus of gallbladder without cholecystitis",
    "J18.9^Pneumonia, unspecified organism",
    "S72.0^Fracture of neck of femur",
    "N20.0^Calculus of kidney",
)
_ALLERGIES: Final = ("7980^Penicillin G^RXNORM", "1191^Aspirin^RXNORM", "2670^Codeine^RXNORM")
_AUTHORITY: Final = "STV&2.999.1.1&ISO"


def admission(number: int, patient: int | None = None) -> str:
    """An ADT^A01: nine segments, 1.2 KB; its control id is ``B`` and the number, which is in the street too.

    ``patient``: whom it is about; without one, the patient of the same number.
    """
    r = random.Random(number)
    patient = number if patient is None else patient
    family, given = r.choice(_FAMILIES), r.choice(_GIVEN)
    attending, referring, consulting = (_doctor(r.randrange(STAFF)) for _ in range(3))
    day = f"{r.randrange(1935, 2020)}{r.randrange(1, 13):02}{r.randrange(1, 29):02}"
    at = f"20261123{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}+0100"
    address = f"Lindenweg {number}^^{r.choice(_CITIES)}^^{r.randrange(10000, 99999)}^DEU^H"
    lines = (
        rf"MSH|^~\&|STVADT|STV|CONNECTOR|DEMO|{at}||ADT^A01^ADT_A01|B{number}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN|A01|{at}|||{attending}",
        f"PID|1||{1_000_000 + patient}^^^{_AUTHORITY}^MR||{family}^{given}^{r.choice(_GIVEN)}^^^^L||{day}|"
        f"{r.choice('MF')}|||{address}||^PRN^PH^^49^555^{number:07}~^NET^Internet^p{number}@patients.example|"
        f"^WPN^PH^^49^555^9{number:06}|de^German^ISO639|{r.choice('SMD')}||||||||||||||N",
        f"NK1|1|{family}^{r.choice(_GIVEN)}|SPO^Spouse^HL70063|{address}|^PRN^PH^^49^555^{number:07}||"
        "C^Emergency Contact^HL70131",
        f"PV1|1|I|{_place(r)}||||{attending}|{referring}|{consulting}|MED||||7|||{attending}|IN|"
        f"V{patient}^^^{_AUTHORITY}^VN{'|' * 25}{at}",
        f"AL1|1|DA^Drug allergy^HL70127|{r.choice(_ALLERGIES)}|SV^Severe^HL70128|Hives|20100101",
        f"DG1|1||{r.choice(_DIAGNOSES)}^I10||{at}|A",
        f"OBX|1|NM|8867-4^Heart rate^LN||{r.randrange(50, 120)}|/min^^UCUM|60-100||||F|||{at}",
        f"IN1|1|GKV^Statutory^STVPLAN|{109500 + r.randrange(9)}|Krankenkasse Musterland|"
        f"Kassenplatz 1^^Musterstadt^^54320^DEU{'|' * 7}20200101||||{family}^{given}|SEL|{day}",
    )
    return "".join(f"{line}\r" for line in lines)


def admissions(count: int, first: int = 0, patients: int = 0) -> Iterator[str]:
    """The messages ``first`` and up: of so many patients in turn, or each of another one."""
    return (admission(one, one % patients if patients else one) for one in range(first, first + count))


def _doctor(number: int) -> str:
    family, given = _FAMILIES[number % len(_FAMILIES)], _GIVEN[number % len(_GIVEN)]
    return f"ARZT{number:03}^{family}^{given}^^^Dr.^^^{_AUTHORITY}"


def _place(r: random.Random) -> str:
    ward = r.randrange(WARDS)
    return f"W{ward}^{ward}{r.randrange(1, 9)}^{r.randrange(1, 4)}^STV^^^^^Ward {ward}"
