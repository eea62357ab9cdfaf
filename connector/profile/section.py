"""What all sections of the configuration files are made of: strict, frozen models and the forms of texts.

Nothing is coerced, a key that is not known is a fault, and ``""`` means "none" wherever a text may be
left out. The docstring below a field is its description in the JSON Schema and in ``profiles/README.md``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from connector.profile.reach import refusal

Key = TypeVar("Key")
Value = TypeVar("Value")


class Section(BaseModel):
    """A table of a configuration file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Found(NamedTuple):
    """A fault that a validator found; ``key`` leads from the model on to the key that is at fault."""

    what: str
    fix: str = ""
    key: tuple[str | int, ...] = ()


def fault(what: str, *, fix: str = "", key: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """One fault for a validator to raise."""
    return faults([Found(what, fix, key)])


def faults(found: Iterable[Found]) -> PydanticCustomError:
    """Several faults for a validator to raise at once."""
    listed = tuple(found)
    text = "; ".join(one.what for one in listed)
    return PydanticCustomError("faults", "{text}", {"text": text, "found": listed})


@dataclass(frozen=True, slots=True)
class Form:
    """An annotation: the text has this form, or is empty where ``optional``.

    ``pattern`` stands in the JSON Schema too, so it keeps to what Python and ECMA 262 have in common.
    """

    pattern: str
    words: str
    optional: bool = False

    def __call__(self, text: str) -> str:
        """The text itself; raises a fault if it does not have the form."""
        if not (self.optional and not text) and not re.fullmatch(self.pattern, text, re.ASCII):
            raise fault("this is not of the form that is needed", fix=f"write {self.words}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        ending = "|" if self.optional else ""
        return {**handler(schema), "pattern": f"^(?:{self.pattern}{ending})$"}


def _resolved(value: Any, info: ValidationInfo) -> Any:
    """A path as the file means it: relative to the folder of the file that names it."""
    if not isinstance(value, str | Path) or not value or "\0" in str(value):
        raise fault("this is not a path", fix="write the path of a file as a text")
    folder = (info.context or {}).get("folder", Path())
    return folder / value


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_host(host: str) -> str:
    """The host itself. Raises a fault for an address to which nothing connects."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host  # a name, which is judged when it is resolved
    if reason := refusal(host, loopback=True):
        raise fault(f"nothing connects to this address: {reason}", fix="name the partner's own address")
    return host


def check_url(url: str, *, insecure_loopback: bool = False) -> str:
    """The URL itself. Raises a fault unless it is https, or plain http to this machine where allowed."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fault("this is not a URL", fix="write https://host:port/path") from None
    if not host or re.search(r"[\s\"<>\\^`{|}]", url) or parts.query or parts.fragment or "@" in parts.netloc:
        raise fault("this is not a plain URL", fix="write https://host:port/path")
    if parts.scheme == "https" or (parts.scheme == "http" and insecure_loopback and is_loopback(host)):
        check_host(host)
        return url
    raise fault(
        "only https is spoken here",
        fix="use https; http is for a loopback address with insecure_loopback = true",
    )


def _frozen(table: Mapping[Key, Value]) -> Mapping[Key, Value]:
    return MappingProxyType(dict(table))


def none() -> Mapping[Any, Any]:
    """The default of a table: an empty one."""
    return MappingProxyType({})


V2_VERSIONS: Final = (
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2",
)  # fmt: skip
_FIELD: Final = r"[A-Z][A-Z0-9]{2}-[1-9][0-9]{0,2}"
_COMPONENT: Final = r"(?:\.[1-9][0-9]?(?:\.[1-9][0-9]?)?)?"

Table = Annotated[Mapping[Key, Value], AfterValidator(_frozen), PlainSerializer(dict)]
Name = Annotated[str, Form(r"[a-z0-9]+(?:-[a-z0-9]+)*", "lowercase letters, digits and hyphens")]
Text = Annotated[str, Form(r"[^\u0000-\u001f\u007f]*", "a text of one line")]
Word = Annotated[str, Form(r"[^\u0000-\u001f\u007f]+", "a text of one line, not empty")]
V2Name = Annotated[
    str, Form(r"[^\u0000-\u001f\u007f|^~\\&]+", "a name without | ^ ~ \\ &, which are delimiters of v2")
]
Host = Annotated[str, Form(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?|::1?", "a host name or an address")]
PartnerHost = Annotated[Host, AfterValidator(check_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Bytes = Annotated[int, Field(ge=1024, le=1024 * 1024 * 1024)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
Fingerprint = Annotated[
    str, Form(r"sha256:[0-9a-f]{64}", "sha256: and the 64 lowercase hex digits of the certificate's digest")
]
FilePath = Annotated[
    Path, BeforeValidator(_resolved), WithJsonSchema({"type": "string", "minLength": 1, "format": "path"})
]
V2Version = Annotated[
    str, Form("|".join(one.replace(".", "[.]") for one in V2_VERSIONS), "a version from 2.1 to 2.8.2")
]
V2Message = Annotated[str, Form(r"[A-Z][A-Z0-9]{2}\^(?:[A-Z][A-Z0-9]{2}|\*)", "a message such as ADT^A01")]
V2Event = Annotated[
    str, Form(r"[A-Z][A-Z0-9]{2}\^[A-Z][A-Z0-9]{2}", 'a message such as ADT^A08, or "" for none', True)
]
ProcessingId = Annotated[str, Form("[PTD]", "P (production), T (training) or D (debugging)")]
Place = Annotated[str, Form(f"{_FIELD}{_COMPONENT}", "a place in v2 such as PID-19, PID-5.1 or ZPI-3.1.2")]
FieldPlace = Annotated[str, Form(_FIELD, "a field of v2 such as PID-18")]
Dropped = Annotated[
    str,
    Form(
        f"[A-Z][A-Z0-9]{{2}}|{_FIELD}{_COMPONENT}", "a place in v2 such as PID-19, or a segment such as ZPI"
    ),
]
TableName = Annotated[str, Form(r"HL7[0-9]{4}", "a table of HL7 such as HL70001")]
Uri = Annotated[
    str,
    Form(
        r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+|urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|urn:(?!oid:|uuid:)[a-z0-9][a-z0-9-]+:[^\s]+|https?://[^\s/]+[^\s]*",
        "a URI such as urn:oid:1.2.3 or https://hospital.example/ids",
    ),
]
Scope = Annotated[
    str,
    Form(
        r"system/(?:(?:[A-Z][A-Za-z]+|\*)\.(?:read|write|\*|(?=[cruds])c?r?u?d?s?)"
        r"|[A-Z][A-Za-z]+\.(?=[cruds])c?r?u?d?s?\?[!#-\[\]-~]+)",
        "a SMART system scope such as system/Patient.cu, its letters in the order cruds",
    ),
]
