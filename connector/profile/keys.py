"""The section ``[keys]`` of the service's settings: who keeps the key-encryption keys."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from connector.profile.section import FilePath, Seconds, Section, Word, check_url, fault

Holder = Literal["file", "systemd", "vault", "aws", "pkcs11"]


class FileKeys(Section):
    """Keys in a file."""

    path: FilePath
    """A line of 32 random bytes in base64 for each key, the current one first; only its owner may read it."""


class SystemdKeys(Section):
    """Keys in a credential of systemd (`LoadCredentialEncrypted=`), of the form of a key file."""

    credential: Word
    """Its name."""


class VaultKeys(Section):
    """A key of HashiCorp Vault's transit engine, of the type `aes256-gcm96`."""

    url: str
    """Where Vault listens: `https://host:port`."""
    ca: FilePath
    """The authorities that may vouch for it, and no others (PEM)."""
    token: FilePath
    """The file with the token, which only its owner may read; it is read for each request."""
    key: Word
    """The name of the transit key. Its policy needs update on encrypt and decrypt, read on the key, and
    update on its rotation for `connector keys rotate`."""
    mount: Word = "transit"
    """Where the engine is mounted."""
    namespace: str = ""
    """The namespace of Vault Enterprise; `""`: none."""
    seconds: Seconds = 5.0
    """How long one answer may take."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url)


class AwsKeys(Section):
    """A symmetric key of AWS KMS. Needs the extra: `pip install "connector[aws]"`."""

    key: Word
    """Its id, ARN or alias."""
    region: Word
    """Its region."""
    endpoint: str = ""
    """Another address than that of the region, such as a VPC endpoint; `""`: none."""
    seconds: Seconds = 5.0
    """How long one answer may take; it is asked for twice at most."""

    @field_validator("endpoint")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url) if url else url


class Pkcs11Keys(Section):
    """AES-256 keys in a hardware security module. Needs the extra: `pip install "connector[pkcs11]"`."""

    module: FilePath
    """The PKCS#11 library of the module."""
    token: Word
    """The label of the token."""
    label: Word
    """The label of the keys; the one with the highest CKA_ID is the current one."""
    pin: FilePath
    """The file with the PIN, which only its owner may read."""


class Keys(Section):
    """Who keeps the key-encryption keys. The tables of others than the one that wraps stay until nothing is
    under their keys any more: add the new one, name it in `wrap`, restart, `connector keys rewrap`.
    """

    wrap: Holder
    """Whose key wraps: `file`, `systemd`, `vault`, `aws` or `pkcs11`, with the table of that name."""
    file: FileKeys | None = None
    """Keys in a file."""
    systemd: SystemdKeys | None = None
    """Keys in a credential of systemd."""
    vault: VaultKeys | None = None
    """A key of HashiCorp Vault."""
    aws: AwsKeys | None = None
    """A key of AWS KMS."""
    pkcs11: Pkcs11Keys | None = None
    """Keys in a hardware security module."""

    @model_validator(mode="after")
    def _there(self) -> Keys:
        if getattr(self, self.wrap) is None:
            raise fault(
                "who is to wrap is not described", fix=f"add the table [keys.{self.wrap}]", key=("wrap",)
            )
        return self
