"""The section ``[fhir]``: how the FHIR system gets resources, how it knows them, what its answers mean."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connector.profile.endpoint import FhirCaller, FhirToken, OptionalUrl
from connector.profile.partner_tls import PartnerTls
from connector.profile.section import (
    Bytes,
    Form,
    Seconds,
    Section,
    Table,
    Uri,
    check_url,
    fault,
    none,
)
from connector.profile.verbs import ResourceType

Status = Annotated[str, Form(r"[345][0-9]{2}", 'an HTTP status in quotes such as "409"')]
_URI: Final[Form] = get_args(Uri)[1]
OptionalUri = Annotated[str, Form(_URI.pattern, f'{_URI.words}, or ""', True)]
Reply = Literal["retry", "stop", "dead", "hold", "read again"]


class FhirIdentity(Section):
    """Who chooses the ids of resources at the FHIR side, and how they are found there."""

    ids: Literal["client", "conditional", "server"] = "client"
    """`client`: we do, and write by PUT. `conditional`: the server; what is new goes by PUT on a search for
    its identifier. `server`: the server; what is new goes by POST with `If-None-Exist`, and what is there
    already is read before it is updated. The ids that a server chose are kept."""
    references: Literal["literal", "search"] = "literal"
    """A reference to what the server has under an id that we do not know yet: by the identifier alone
    (`literal`), or as a search that the server resolves (`search`)."""
    system: OptionalUri = ""
    """The system of the identifiers that we give to what has none, where the server chooses ids; `""`: a
    `urn:uuid` that follows from the link's namespace. Changing it later creates those resources anew."""


class FhirUpdates(Section):
    """How updates keep what others wrote."""

    if_match: bool = True
    """Name the version that an update was made over (`If-Match`), where the server tells versions. If
    somebody else was faster, the resource is read and the message made again over it."""
    read_before_update: Literal["never", "first"] = "never"
    """Whether a resource that we never saw there is read before it is written: `first` costs a request for
    each new resource, and keeps what a server has had under the same id. After an attempt that failed it is
    read in any case."""
    leave_out_unchanged: bool = True
    """Leave out of a delivery what the FHIR side has word for word, such as wards and staff. If it refuses
    a message, that is sent whole before it counts as refused."""
    revisions: Annotated[int, Field(ge=0, le=100)] = 5
    """How often one message is made again because somebody else was faster; then it is refused."""


class Fhir(Section):
    """The FHIR R4 side."""

    insecure_loopback: bool = False
    """Allow `http` to this machine, for tests."""
    base: OptionalUrl = ""
    """The endpoint to which resources are delivered; `""`: none are."""
    server_name: Annotated[str, Form(r"[A-Za-z0-9.:-]+", "a host name", True)] = ""
    """The name in the endpoint's certificate; `""`: the host of `base`."""
    delivery: Literal["transaction", "batch", "each", "message"] = "transaction"
    """One transaction Bundle a message; a batch, whose entries succeed or fail by themselves; each resource
    by itself; or as a message Bundle to `$process-message`."""
    conformance: Literal["fast", "models"] = "fast"
    """How FHIR is judged, coming in: by compiled tables, or also by the models of fhir.resources."""
    omit: tuple[ResourceType, ...] = ()
    """Resource types that are not delivered: `Provenance`."""
    connections: Annotated[int, Field(ge=1, le=256)] = 8
    """How many connections are open at once at most."""
    connect_seconds: Seconds = 10.0
    """How long to wait for a connection."""
    tls_seconds: Seconds = 10.0
    """How long the TLS handshake may take."""
    write_seconds: Seconds = 30.0
    """How long sending a request may take."""
    answer_seconds: Seconds = 30.0
    """How long to wait for an answer to begin."""
    body_seconds: Seconds = 30.0
    """How long an answer may take from its head to its end."""
    answer_bytes: Bytes = 8 * 1024 * 1024
    """The longest answer."""
    replies: Table[Status, Reply] = Field(default_factory=none)
    """What single HTTP statuses mean, over the table below: `"404" = "retry"`."""
    identity: FhirIdentity = Field(default_factory=FhirIdentity)
    """Ids at the FHIR side."""
    updates: FhirUpdates = Field(default_factory=FhirUpdates)
    """What others wrote."""
    token: FhirToken | None = None
    """Where we get access tokens for `base`; without this table, requests go without one."""
    caller: Annotated[FhirCaller | None, Field(alias="from")] = None
    """Who may send us FHIR; without this table nobody may."""
    tls: PartnerTls = Field(default_factory=PartnerTls)
    """Mutual TLS with this side."""

    @field_validator("base")
    @classmethod
    def _safe(cls, base: str, info: ValidationInfo) -> str:
        return check_url(base, insecure_loopback=info.data.get("insecure_loopback", False)) if base else base

    @model_validator(mode="after")
    def _token_for_something(self) -> Self:
        if self.token is not None and not self.base:
            raise fault("a token is asked for, but there is no endpoint", fix="set base", key=("token",))
        return self

    @model_validator(mode="after")
    def _a_message_has_no_ids(self) -> Self:
        if self.delivery == "message" and self.identity.ids != "client":
            raise fault(
                "what a server does with a message tells no ids",
                fix='leave out [fhir.identity], or choose another delivery than "message"',
                key=("delivery",),
            )
        return self
