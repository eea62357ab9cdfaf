"""``connector translate``: files or standard input, either direction, or a stream of JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from connector.errors import ConfigurationError, ConnectorError

if TYPE_CHECKING:
    from connector.mapping.translator import Translator

Target = Literal["fhir", "v2"]
PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Translate HL7 v2 to FHIR, or FHIR to HL7 v2.")
@click.option("--profile", type=PATH, help="The partner profile; without it the shipped default.")
@click.option("--to", "target", type=click.Choice(["fhir", "v2"]), help="Without it, the other side's form.")
@click.option("--prior", type=PATH, help="To v2: the message whose words are kept. To fhir: known resources.")
@click.option("--explain", is_flag=True, help="Print for each element where it comes from and by which row.")
@click.option(
    "--ndjson", is_flag=True, help="Read and write JSON lines; a bad line gives a line with its error."
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def command(
    profile: Path | None,
    target: Target | None,
    prior: Path | None,
    explain: bool,
    ndjson: bool,
    files: tuple[str, ...],
) -> None:
    """Translate FILES, or standard input.

    HL7 v2 may be bare messages, MLLP frames or a batch (FHS/BHS); FHIR may be one JSON document or one a
    line. The result goes to standard output, what the other side cannot say to standard error. The exit
    code is 1 if anything could not be translated.

    \b
    With --ndjson a line is one of
      {"id": 1, "hl7": "MSH|..."}                     -> {"id": 1, "bundle": {...}, "lost": [...]}
      {"id": 2, "bundle": {...}, "prior": "MSH|..."}  -> {"id": 2, "hl7": "...", "lost": [...]}
      anything that cannot be translated              -> {"id": 3, "error": {"code": ..., "location": ...}}
    """
    translator = load(profile)
    if ndjson:
        from connector.commands.ndjson import stream

        stream(translator, _lines(files), sys.stdout.buffer, prompt=sys.stdin.isatty())
        return
    documents = [one for content in _contents(files) for one in _documents(content, target)]
    wrong = [not _translated(translator, one, prior, explain) for one in documents]
    if any(wrong) or not documents:
        raise SystemExit(1)


def load(profile: Path | None) -> Translator:
    """The translator of a profile file, or the default one."""
    from connector import Translator

    return Translator.load(profile) if profile else Translator.default()


def _contents(files: tuple[str, ...]) -> Iterator[bytes]:
    for name in files or ("-",):
        yield sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _lines(files: tuple[str, ...]) -> Iterator[bytes]:
    for name in files or ("-",):
        if name == "-":
            yield from sys.stdin.buffer
        else:
            with Path(name).open("rb") as opened:
                yield from opened


def _documents(content: bytes, target: Target | None) -> Iterator[tuple[Target, bytes]]:
    """Each message or resource with the side it is to be translated to."""
    from connector.hl7v2 import batch

    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    goal: Target = "v2" if is_json else "fhir"
    if target and target != goal:
        raise ConfigurationError(f"the input is {'FHIR' if is_json else 'HL7 v2'} already", fix="see --to")
    for one in _json_documents(content) if is_json else batch.split(content):
        yield goal, one


def _json_documents(content: bytes) -> Iterable[bytes]:
    """One document, or one a line: every line is an object then, which no part of one document is."""
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        return lines
    return [content]


def _translated(
    translator: Translator, document: tuple[Target, bytes], prior: Path | None, explain: bool
) -> bool:
    goal, content = document
    try:
        lost = (
            _to_fhir(translator, content, prior, explain)
            if goal == "fhir"
            else _to_v2(translator, content, prior, explain)
        )
    except ConnectorError as error:
        click.echo(f"connector: {error}", err=True)
        return False
    for location in lost:
        click.echo(f"lost: {location}", err=True)
    return True


def _to_fhir(translator: Translator, content: bytes, prior: Path | None, explain: bool) -> list[str]:
    from connector.fhir import bundle, json
    from connector.hl7v2 import charset

    text = charset.decode(content, profile_charset=None).text
    known = json.loads(prior.read_bytes()) if prior else None
    if isinstance(known, dict):
        known = bundle.resources(known) if known.get("resourceType") == "Bundle" else [known]
    if explain:
        return _explained(translator, text, known)
    made = translator.to_fhir(text, prior=known)
    click.echo(_indented(json.dumps(made.bundle)))
    return made.lost


def _to_v2(translator: Translator, content: bytes, prior: Path | None, explain: bool) -> list[str]:
    from connector.fhir import json
    from connector.hl7v2 import charset

    bundle = as_bundle(json.loads(content))
    words = charset.decode(prior.read_bytes(), profile_charset=None).text if prior else None
    if explain:
        return _explained(translator, bundle, words)
    made = translator.to_v2(bundle, words)
    text = str(made.message)
    if sys.stdout.isatty():
        click.echo(text.replace("\r", "\n"), nl=False)
    else:
        click.echo(text.encode("utf-8"), nl=False)
    return made.lost


def _explained(translator: Translator, source: Any, prior: Any) -> list[str]:
    for line in translator.explain(source, prior):
        click.echo(str(line))
    return []


def as_bundle(content: Any) -> dict[str, Any]:
    """The Bundle to translate: a single resource is put into one of its own."""
    if isinstance(content, dict) and content.get("resourceType") != "Bundle":
        return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": content}]}
    found: dict[str, Any] = content
    return found


def _indented(text: bytes) -> bytes:
    import msgspec

    return msgspec.json.format(text, indent=2) if sys.stdout.isatty() else text
