"""The sections ``[v2.tls]`` and ``[fhir.tls]``: who vouches for a partner, and who may speak for it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from connector.profile.section import FilePath, Fingerprint, Form, Section, Word, fault

AlternativeName = Annotated[
    str,
    Form(
        r"(?:DNS|IP|URI|email):[^\u0000-\u001f\u007f]+",
        "an alternative name as DNS:host, IP:address, URI:... or email:...",
    ),
]


class PartnerTls(Section):
    """Mutual TLS with one side of a link, where it differs from the service's `[tls]`. A certificate that
    these authorities issued speaks for nobody else."""

    trust: FilePath | None = None
    """The authorities that may vouch for this side, and no others (PEM); left out: those of the service, or
    none where certificates are pinned."""
    pinned: FilePath | None = None
    """Certificates of this side that are taken as they are, self-signed or of an unknown authority too (PEM).
    Each may speak for it. Where we connect, one of them must be shown, and no host name is looked at."""
    crl: FilePath | None = None
    """The revocation lists of `trust`, in one file; every one of its authorities needs one then."""
    revocation: Literal["where listed", "required"] = "where listed"
    """`required`: nothing starts without current lists."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The lowest version of TLS, in both directions."""
    servers: tuple[Fingerprint, ...] = ()
    """The certificates that this side may show where we connect, as `sha256:` and 64 hex digits; then no host
    name is looked at. Empty: any of `trust` with the right host name."""
    certificate: FilePath | None = None
    """Our own chain towards this side where we connect, leaf first; left out: that of the service."""
    key: FilePath | None = None
    """Its private key, which only its owner may read."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise fault(f"{missing} is missing", fix="give both or none", key=(missing,))
        if self.crl is not None and self.trust is None:
            raise fault("revocation lists need their authorities", fix="name them under trust", key=("crl",))
        if self.revocation == "required" and self.trust is not None and self.crl is None:
            raise fault(
                "revocation lists are required and none is given",
                fix="name them under crl",
                key=("revocation",),
            )
        return self

    @property
    def own_anchors(self) -> bool:
        """Whether it says itself who vouches."""
        return self.trust is not None or self.pinned is not None


class MaySpeak(Section):
    """Whose certificates speak for one side of a link."""

    certificates: tuple[Fingerprint, ...] = ()
    """The certificates that may connect, as `sha256:` and 64 hex digits
    (`openssl x509 -noout -fingerprint -sha256`, lowercase and without colons)."""
    subjects: tuple[Word, ...] = ()
    """The subjects (RFC 4514) of certificates that may connect, where the partner renews them often."""
    names: tuple[AlternativeName, ...] = ()
    """The alternative names of certificates that may connect: `DNS:lab.example`, `URI:...`, `email:...`."""
    issued_by: tuple[Word, ...] = ()
    """Who must have issued a certificate known by its subject or name: subjects (RFC 4514) or `sha256:`
    fingerprints of authorities. Needed where several authorities of the service could."""
