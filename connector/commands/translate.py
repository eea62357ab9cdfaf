"""``connector translate``: files or standard input, either direction, or a stream of JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, cast

import click

from connector.errors import ConfigurationError, ConnectorError

if TYPE_CHECKING:
    from connector.mapping.places import Json
    from connector.mapping.translator import Translator

Target = Literal["fhir", "v2"]
PATH = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = "UNICODE UTF-8"  # of messages whose MSH-18 names none


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
    line. The result goes to standard output (several bundles one a line), what the other side cannot say
    to standard error. The exit code is 1 if anything could not be translated.

    \b
    With --ndjson a line is one of
      {"id": 1, "hl7": "MSH|..."}                     -> {"id": 1, "bundle": {...}, "lost": [...]}
      {"id": 2, "bundle": {...}, "prior": "MSH|..."}  -> {"id": 2, "hl7": "...", "lost": [...]}
      anything that cannot be translated              -> {"id": 3, "error": {"code": ..., "location": ...}}
    """
    if ndjson:
        _only_lines(target, prior, explain)
    translator, charset = load(profile)
    if ndjson:
        from connector.commands.ndjson import stream

        for name in files or ("-",):
            with click.open_file(name, "rb") as opened:
                stream(translator, cast(BinaryIO, opened), sys.stdout.buffer)
        return
    documents = [one for name in files or ("-",) for one in _documents(name, target)]
    if not documents:
        raise ConfigurationError("there is nothing to translate", fix="a message begins with MSH")
    work = _Work(translator, charset, prior, explain, len(documents) > 1)
    taken = [work.done(document) for document in documents]
    if not all(taken):
        raise SystemExit(1)


def _only_lines(target: Target | None, prior: Path | None, explain: bool) -> None:
    for given, option in ((target, "--to"), (prior, "--prior"), (explain, "--explain")):
        if given:
            raise click.UsageError(f"{option} does not go with --ndjson: each line says what it is.")


def load(profile: Path | None) -> tuple[Translator, str | None]:
    """The translator of a profile file, or the default one; and the character set where MSH-18 is silent."""
    from connector import Translator

    if profile is None:
        return Translator.default(), None
    from connector.profile import load

    return Translator.load(profile), load(profile).v2.charset or None


class Document(NamedTuple):
    """One message or resource, where it comes from, and the side it is to be translated to."""

    goal: Target
    content: bytes
    name: str


def _documents(file: str, target: Target | None) -> Iterator[Document]:
    from connector.hl7v2 import batch

    with click.open_file(file, "rb") as opened:
        content: bytes = opened.read()
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    goal: Target = "v2" if is_json else "fhir"
    if target and target != goal:
        raise ConfigurationError(f"the input is {'FHIR' if is_json else 'HL7 v2'} already", fix="see --to")
    found = _json_documents(content) if is_json else batch.split(content)
    for number, one in enumerate(found, 1):
        yield Document(goal, one, f"{file}[{number}]" if len(found) > 1 else file)


def _json_documents(content: bytes) -> list[bytes]:
    """One document, or one a line: then the first line is a whole one by itself."""
    import msgspec

    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    try:
        msgspec.json.decode(lines[0], type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError):
        return [content]
    return lines


@dataclass(frozen=True, slots=True)
class _Work:
    """How each document is translated and shown."""

    translator: Translator
    charset: str | None
    prior: Path | None
    explain: bool
    several: bool

    def done(self, document: Document) -> bool:
        """Translate and print one; whether that was possible."""
        try:
            lost = self._to_fhir(document) if document.goal == "fhir" else self._to_v2(document)
        except ConnectorError as error:
            failure = error
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as error:  # a fault of ours: named by its type, since its text may hold values
            failure = ConnectorError(f"the translation failed ({type(error).__name__})")
        else:
            for location in lost:
                click.echo(f"lost: {self._at(document)}{location}", err=True)
            return True
        click.echo(f"{document.name}: {described(failure)}", err=True)
        return False

    def _at(self, document: Document) -> str:
        return f"{document.name}: " if self.several else ""

    def _to_fhir(self, document: Document) -> list[str]:
        from connector.fhir import bundle, json

        text = self._text(document.content)
        known = json.loads(self.prior.read_bytes()) if self.prior else None
        if isinstance(known, dict):
            known = bundle.resources(known) if known.get("resourceType") == "Bundle" else [known]
        if self.explain:
            click.echo("\n".join(map(str, self.translator.explain(text, known))))
            return []
        made = self.translator.to_fhir(text, prior=known)
        click.echo(self._indented(json.dumps(made.bundle)))
        return made.lost

    def _to_v2(self, document: Document) -> list[str]:
        from connector.fhir import json

        bundle = as_bundle(json.loads(document.content))
        words = self._text(self.prior.read_bytes()) if self.prior else None
        if self.explain:
            click.echo("\n".join(map(str, self.translator.explain(bundle, words))))
            return []
        made = self.translator.to_v2(bundle, words)
        text = str(made.message)
        text += "" if text.endswith(("\r", "\n")) else "\r"
        click.echo(text.replace("\r", "\n") if sys.stdout.isatty() else encoded(text), nl=False)
        return made.lost

    def _text(self, content: bytes) -> str:
        from connector.hl7v2 import charset

        return charset.decode(content, profile_charset=self.charset).text

    def _indented(self, text: bytes) -> bytes:
        import msgspec

        return msgspec.json.format(text, indent=2) if sys.stdout.isatty() and not self.several else text


def described(error: ConnectorError) -> str:
    """An error as a line: ``SegmentSequence [100 structure] PID: no patient (send PID ...)``."""
    return f"{type(error).__name__} [{error.answer.condition} {error.answer.issue}] {error}"


def encoded(text: str) -> bytes:
    """A message in the character set that its MSH-18 names."""
    from connector.hl7v2 import charset
    from connector.hl7v2.tree import Message

    return charset.encode(text, charset.known(Message.parse(text).character_set) or _OUT)


def as_bundle(content: Json) -> Json:
    """The Bundle to translate: a single resource is put into one of its own."""
    if isinstance(content, dict) and content.get("resourceType") not in ("Bundle", None):
        return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": content}]}
    return content
