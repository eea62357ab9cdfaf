"""The section ``[audit]`` of the service's settings: the sealed audit log, which strangers can verify."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from connector.profile.audit_feed import AuditFeeds
from connector.profile.audit_stamp import AuditStamp
from connector.profile.audit_witness import AuditWitness
from connector.profile.partner_tls import PartnerTls
from connector.profile.section import FilePath, Form, Seconds, Section

Site = Annotated[
    str,
    Form(
        r"[A-Za-z0-9][A-Za-z0-9.-]{0,80}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,40}){0,3}",
        "a name such as hospital.example/connector",
        optional=True,
    ),
]


class Audit(Section):
    """The sealed audit log: every entry goes under a checkpoint that is signed at least each second, in tiles
    on the disk (C2SP tlog-tiles), a tree a year. It is kept without this table too."""

    directory: FilePath | None = None
    """Where the tiles and checkpoints lie; left out: beside the store, `store.db` -> `store.audit`. Whoever
    restores a store needs this directory as well."""
    site: Site = ""
    """Whose log this is, the name of all checkpoints before the year, `hospital.example/connector`; `""`: the
    name of this machine at the first start. It stays as it is for a directory: another one is refused."""
    key: FilePath | None = None
    """The file of the keys that sign, which only its owner may read; left out: beside the directory,
    `store.audit.key`. Made at the first start."""
    ml_dsa: bool = False
    """Sign with ML-DSA-44 (FIPS 204) beside Ed25519."""
    retention_years: Annotated[int, Field(ge=1, le=100)] = 6
    """How many whole years a year's entries are kept after it has ended; `connector audit dispose` takes away
    what is older, and nothing does so by itself."""
    feed: AuditFeeds = Field(default_factory=AuditFeeds)
    """Who gets the log while it is written."""
    refuse_unsealed_seconds: Seconds = 300.0
    """How long entries may wait for a checkpoint that cannot be signed; after that nothing new is taken in
    until one can."""
    witness: AuditWitness | None = None
    """Who cosigns its checkpoints."""
    stamp: AuditStamp | None = None
    """Who puts time-stamps on them."""

    def outsiders(self) -> Iterator[tuple[str, str, PartnerTls]]:
        """Who vouches for it, by the two words of the name of the connections to it; and TLS of each."""
        for one in self.witness.ask if self.witness else ():
            yield "audit witness", one.name, one.tls
        if self.stamp is not None:
            yield "audit", "stamps", self.stamp.tls
