"""The hands of somebody who changes exports: byte by byte, or with everything made to fit again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from audit import forms
from audit.export import TITLE
from audit.merkle import leaf_hash
from audit.notes import Note
from audit.signing import Signer
from audit.zipped import Zipped, bundled

Contents = dict[str, bytes]
Manifest = dict[str, Any]


def contents(raw: bytes) -> Contents:
    """What is in an export, in its order."""
    opened = zipfile.ZipFile(io.BytesIO(raw))
    return {name: opened.read(name) for name in opened.namelist()}


def rebuilt(
    raw: bytes,
    signer: Signer,
    change: Callable[[Contents], object] = lambda held: None,
    said: Callable[[Manifest], object] = lambda manifest: None,
) -> bytes:
    """The export with other contents, and with a manifest and a signature that fit them."""
    held, out = contents(raw), Zipped()
    methods = {one.filename: one.compress_type for one in zipfile.ZipFile(io.BytesIO(raw)).filelist}
    manifest: Manifest = json.loads(held.pop("manifest.json"))
    held.pop("manifest.note")
    change(held)
    parts: list[bytes] = []
    for name, content in held.items():
        if methods.get(name):
            parts += out.deflated(name, [content])
        else:
            parts.append(out.stored(name, content))
    manifest["members"] = [one.listed() for one in out.members]
    said(manifest)
    written = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
    return b"".join([*parts, out.stored("manifest.json", written), _signed(out, written, signer), out.end()])


def _signed(out: Zipped, manifest: bytes, signer: Signer) -> bytes:
    text = f"{TITLE}\n{hashlib.sha256(manifest).hexdigest()}\n"
    return out.stored("manifest.note", Note(text, (signer.signature(text, 0),)).written())


def with_entries(
    raw: bytes, signer: Signer, lines: Sequence[bytes], said: Callable[[Manifest], object] = lambda _: None
) -> bytes:
    """The export with these lines as its entries; table, proofs and numbers fit them, as far as can be."""

    def change(held: Contents) -> None:
        old = {_number(line): line for line in held["entries.ndjson"].splitlines()}
        numbered = [(_number(line), line) for line in lines]
        held["entries.ndjson"] = b"".join(line + b"\n" for line in lines)
        held["entries.csv"] = b"".join(forms.table(numbered))
        proofs: Contents = {}
        for name in [one for one in held if one.startswith("proofs/")]:
            proofs |= contents(held.pop(name))
        kept = [(f"{seq}.tlog-proof", proofs.get(f"{seq}.tlog-proof", b"")) for seq, _ in numbered]
        held[f"proofs/{numbered[0][0]:09}-{numbered[-1][0]:09}.zip"] = bundled(kept)
        assert old

    def fits(manifest: Manifest) -> None:
        manifest["count"] = len(lines)
        manifest["first"], manifest["last"] = _number(lines[0]), _number(lines[-1])
        said(manifest)

    return rebuilt(raw, signer, change, fits)


def _number(line: bytes) -> int:
    return int(json.loads(line)["seq"])


def changed(line: bytes, **members: Any) -> bytes:
    """An entry that says something else."""
    said = json.loads(line) | members
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def chained(lines: Iterable[bytes]) -> list[bytes]:
    """Entries in a new order, numbered and chained again as if they had always been so."""
    made: list[bytes] = []
    listed = list(lines)
    first = json.loads(listed[0])
    seq, previous = first["seq"], first["previous"]
    for line in listed:
        made.append(changed(line, seq=seq, previous=previous))
        seq, previous = seq + 1, leaf_hash(made[-1]).hex()
    return made


def flipped(raw: bytes, at: int) -> bytes:
    """One bit of one byte is another."""
    held = bytearray(raw)
    held[at] ^= 1 << at % 8
    return bytes(held)
