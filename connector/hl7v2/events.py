"""Which structure a trigger event has (HL7 table 0354, v2.3.1 to v2.8.2).

Only events whose structure has another event's name; ``ADT^A02`` is ``ADT_A02`` without saying. Versions
before 2.3.1 have a structure for every event of their own, and those are found first.
"""

from __future__ import annotations

from typing import Final

_SHARED: Final = {
    "ADT_A01": "A04 A08 A13",
    "ADT_A05": "A14 A28 A31",
    "ADT_A06": "A07",
    "ADT_A09": "A10 A11",
    "ADT_A21": "A22 A23 A25 A26 A27 A29 A32 A33",
    "ADT_A30": "A34 A35 A36 A46 A47 A48 A49",
    "ADT_A39": "A40 A41 A42",
    "ADT_A43": "A44",
    "ADT_A50": "A51",
    "ADT_A52": "A53",
    "ADT_A54": "A55",
    "ADT_A61": "A62",
    "CRM_C01": "C02 C03 C04 C05 C06 C07 C08",
    "CSU_C09": "C10 C11 C12",
    "MDM_T01": "T03 T05 T07 T09 T11",
    "MDM_T02": "T04 T06 T08 T10",
    "MFK_M01": "M02 M03 M04 M05 M06 M07 M08 M09 M10 M11 M12 M13 M14 M15 M16 M17",
    "ORU_R30": "R31 R32",
    "PEX_P07": "P08",
    "PGL_PC6": "PC7 PC8",
    "PMU_B01": "B02",
    "PMU_B04": "B05 B06",
    "PPG_PCG": "PCC PCH PCJ",
    "PPP_PCB": "PCD",
    "PPR_PC1": "PC2 PC3",
    "QBP_Q21": "Q22 Q23 Q24 Q25",
    "RDE_O11": "O25",
    "REF_I12": "I13 I14 I15",
    "RPA_I08": "I09 I10 I11",
    "RPI_I01": "I04",
    "RQA_I08": "I09 I10 I11",
    "RQI_I01": "I02 I03",
    "RRI_I12": "I13 I14 I15",
    "SIU_S12": "S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26 S27",
    "SRM_S01": "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
    "SRR_S01": "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
    "TCU_U10": "U11",
}

STRUCTURES: Final = {
    f"{structure[:3]}_{event}": structure for structure, events in _SHARED.items() for event in events.split()
}
"""``ADT_A04`` -> ``ADT_A01``: by code and event, the structure that another event has given its name."""

USUAL_EVENTS: Final = {
    "ADT": "ADT_A01",
    "BAR": "BAR_P01",
    "DFT": "DFT_P03",
    "MDM": "MDM_T02",
    "MFN": "MFN_M01",
    "OMG": "OMG_O19",
    "OML": "OML_O21",
    "ORM": "ORM_O01",
    "ORU": "ORU_R01",
    "PPR": "PPR_PC1",
    "RAS": "RAS_O17",
    "RDE": "RDE_O11",
    "RDS": "RDS_O13",
    "REF": "REF_I12",
    "SIU": "SIU_S12",
    "SRM": "SRM_S01",
    "VXU": "VXU_V04",
}
"""The structure of a message whose event is absent (v2.1) or one's own (``ADT^Z99``)."""
