"""The section ``[audit.witness]`` of the service's settings: who cosigns the checkpoints of the audit log."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from connector.profile.partner_tls import PartnerTls
from connector.profile.section import Count, Form, Seconds, Section, check_url, fault

VerifyingKey = Annotated[
    str,
    Form(
        r"[!-*,-~]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}",
        'a public key as "python -m audit witness key" prints it: name+id+key',
    ),
]


class AskedWitness(Section):
    """One witness, on a host of its own and in other hands."""

    url: str
    """Where it listens, `https://host:port`, with the prefix of its address if it has one."""
    keys: Annotated[tuple[VerifyingKey, ...], Field(min_length=1)]
    """Its public keys, all under its one name; a cosignature by any of them counts."""
    tls: PartnerTls = Field(default_factory=PartnerTls)
    """Mutual TLS with it, where it differs from the service's `[tls]`."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url)

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if len({key.partition("+")[0] for key in self.keys}) > 1:
            raise fault("these are keys of several witnesses", fix="give each its own table", key=("keys",))
        return self

    @property
    def name(self) -> str:
        """Under which it cosigns."""
        return self.keys[0].partition("+")[0]

    @property
    def end(self) -> str:
        """The name of the connections to it."""
        return f"audit witness {self.name}"


class AuditWitness(Section):
    """Witnesses of the audit log: who cosigns its checkpoints, and what becomes of it where they stop."""

    ask: Annotated[tuple[AskedWitness, ...], Field(min_length=1)]
    """The witnesses, each in a table `[[audit.witness.ask]]`."""
    required: Count = 1
    """How many of them must cosign a checkpoint for it to count as cosigned."""
    answer_seconds: Seconds = 10.0
    """The longest time for each part of one answer: connection, handshake, request, answer."""
    silent_after_seconds: Seconds = 300.0
    """After how long without a checkpoint that enough of them cosigned the alarm is raised."""
    fail_closed: bool = False
    """Whether nothing new is taken in while they are silent, and at a start until enough have cosigned."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.required > len(self.ask):
            raise fault("more witnesses are required than are asked", fix="name more", key=("required",))
        every = [key for one in self.ask for key in one.keys]
        if len({one.name for one in self.ask}) < len(self.ask):
            raise fault("one witness is named twice", fix="name each once", key=("ask",))
        if len({key.split("+", 2)[2] for key in every}) < len(every):
            raise fault("one key is named twice", fix="ask each witness for its own", key=("ask",))
        return self
