"""ED and RP <-> Attachment (guide: ED[Attachment], RP[Attachment]).

FHIR's data is always base64; text (``A``) and hexadecimal digits (``Hex``) go there decoded, and data that
cannot be decoded is no attachment.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from ..partner import V2
from ..places import Comps, Json, comp
from ..scope import Scope
from .coded import ALTERNATE, alternate, first_coding
from .primitives import code_text

_TYPES: Final[Mapping[str, str]] = {
    "AP": "application", "AU": "audio", "IM": "image", "TX": "text", "FT": "text"
}  # fmt: skip
_URL = re.compile(r"\S+\Z")
_SUBTYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*\Z")


def _content_type(comps: Comps, first: int, attachment: Json, scope: Scope) -> list[int]:
    """Type of data and subtype as a MIME type; the type alone is kept as it is (guide: alternate-codes)."""
    kind, subtype = (scope.unescape(comp(comps, at)) for at in (first, first + 1))
    sort = _TYPES.get(kind, kind.lower())
    if kind and subtype and _SUBTYPE.match(sort) and _SUBTYPE.match(subtype.lower()):
        attachment["contentType"] = f"{sort}/{subtype.lower()}"
        return []
    if code_text(kind) and not subtype:
        attachment["extension"] = [alternate(V2 + "0191", kind)]
        return []
    return [at + 1 for at, text in ((first, kind), (first + 1, subtype)) if text]


def _kinds(attachment: Json) -> tuple[str, str]:
    kind, _, subtype = str(attachment.get("contentType", "")).partition("/")
    for one in attachment.get("extension") or ():
        if one.get("url") == ALTERNATE and not kind:
            kind = str(first_coding(one.get("valueCodeableConcept")).get("code", ""))
    return kind, subtype.partition(";")[0]


# --- ED -----------------------------------------------------------------------------------------------------


def said_data(comps: Comps, scope: Scope) -> tuple[Json, list[int]] | None:
    """An ED as an Attachment, and the components it does not say; ``None`` where its data is none."""
    data = _decoded(comp(comps, 3), comp(comps, 4), scope)
    if data is None:
        return None
    attachment: Json = {"data": base64.b64encode(data).decode()}
    unsaid = [n for n in (1, *range(6, len(comps) + 1)) if comp(comps, n - 1)]
    return attachment, unsaid + _content_type(comps, 1, attachment, scope)


def _decoded(encoding: str, text: str, scope: Scope) -> bytes | None:
    if not text:
        return None
    try:
        if encoding.upper() == "BASE64":
            return base64.b64decode("".join(scope.unescape(text).split()), validate=True) or None
        if encoding.upper() == "HEX":
            return bytes.fromhex(text) or None
    except (ValueError, binascii.Error):
        return None
    return scope.unescape(text).encode("utf-8", "surrogatepass") if encoding == "A" else None


def written_data(attachment: Json, before: Comps, scope: Scope) -> Comps:
    """An Attachment with data as an ED; what still means the same keeps its words."""
    kind, subtype = _kinds(attachment)
    found = said_data(before, scope) if before else None
    if found is not None and found[0].get("data") == attachment.get("data"):
        comps = (before + [""] * 5)[: max(5, len(before))]
    else:
        comps = [comp(before, 0), "", "", "Base64", scope.escape(str(attachment.get("data", "")))]
    if found is None or _kinds(found[0]) != (kind, subtype):
        comps[1:3] = [scope.escape(kind), scope.escape(subtype)]
    else:
        comps[1:3] = [comp(before, 1), comp(before, 2)]
    return comps


# --- RP -----------------------------------------------------------------------------------------------------


def said_pointer(comps: Comps, scope: Scope) -> tuple[Json, list[int]] | None:
    """An RP as an Attachment, and the components it does not say; ``None`` where it points nowhere."""
    url = scope.unescape(comp(comps, 0))
    if not _URL.match(url):
        return None
    attachment: Json = {"url": url}
    unsaid = [n for n in (2, *range(5, len(comps) + 1)) if comp(comps, n - 1)]
    return attachment, unsaid + _content_type(comps, 2, attachment, scope)


def written_pointer(attachment: Json, before: Comps, scope: Scope) -> Comps:
    """An Attachment with a URL as an RP."""
    kind, subtype = _kinds(attachment)
    found = said_pointer(before, scope) if before else None
    kinds = [scope.escape(kind), scope.escape(subtype)]
    if found is not None and _kinds(found[0]) == (kind, subtype):
        kinds = [comp(before, 2), comp(before, 3)]
    return [scope.escape(str(attachment.get("url", ""))), comp(before, 1), *kinds, *before[4:]]


def is_pointer(attachment: Any) -> bool:
    """Whether an Attachment says where its data is, and not the data."""
    return isinstance(attachment, dict) and "url" in attachment and "data" not in attachment
