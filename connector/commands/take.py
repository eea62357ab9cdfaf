"""``connector take``: the messages of a file, as if the partner had sent them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import CONFIG, OPERATOR
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.commands.admitting import Person
    from connector.pipeline.links import Link
    from connector.pipeline.taking import Outcome
    from connector.settings import Configuration
    from connector.store import Store

_NONE = "-"  # stands for a control id that is not there


@click.command(short_help="Take the HL7 v2 messages of a file, as if the partner had sent them.")
@CONFIG
@click.option("--link", "name", required=True, help="The partner, by the name of its profile.")
@OPERATOR
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def command(config: Path, name: str, operator: str | None, file: str) -> None:
    """Take every message of FILE ("-" for standard input), in order, beside the running service.

    FILE may hold bare messages, MLLP frames, a batch or a file of batches (FHS, BHS, BTS, FTS); where it
    does not hold as many as its trailers say, nothing is taken. Each message becomes a line: its number and
    control id, what became of it, and why. What was taken before is a duplicate, so the same file may be
    taken again. The service takes it up within seconds; no acknowledgment goes to the partner. The exit code
    is 1 if any message was refused.
    """
    from connector import settings
    from connector.commands.admitting import admit

    configuration = settings.load(config)
    person = admit(configuration.settings, operator)
    with click.open_file(file, "rb") as opened:
        content = opened.read()
    outcomes = asyncio.run(_taken(configuration, name, person, content))
    if not outcomes:
        raise ConfigurationError("there is no message in the file", fix="a message begins with MSH")
    for number, outcome in enumerate(outcomes, start=1):
        click.echo(f"{number}  {shown(outcome)}")
    if any(outcome.code != "AA" for outcome in outcomes):
        raise SystemExit(1)


def shown(outcome: Outcome) -> str:
    """An outcome as a line: ``MSG00001  refused  RequiredFieldMissing at PID-3: the patient ...``."""
    control_id, error = outcome.control_id or _NONE, outcome.error
    if error is None:
        word = "duplicate" if outcome.duplicate else "taken" if outcome.code else "ignored"
        return f"{control_id}  {word}"
    place = f" at {error.location}" if error.location else ""
    return f"{control_id}  refused  {type(error).__name__}{place}: {error.what}"


async def _taken(
    configuration: Configuration, name: str, person: Person, content: bytes
) -> Sequence[Outcome]:
    from connector import wiring

    link = _link(configuration, name)
    store = wiring.open_store(configuration.settings)
    try:
        return await _through(store, link, person, content)
    finally:
        await store.close()


def _link(configuration: Configuration, name: str) -> Link:
    from connector.wiring.links import link_of

    profiles = {profile.name: profile for profile in configuration.profiles}
    if name not in profiles:
        raise ConfigurationError("there is no such link", fix=f"one of {', '.join(profiles)}")
    if "to_fhir" not in profiles[name].directions:
        raise ConfigurationError("this link takes no v2", fix="add [v2.from] to its profile")
    return link_of(profiles[name], bound=False)


async def _through(store: Store, link: Link, person: Person, content: bytes) -> Sequence[Outcome]:
    from connector import wiring
    from connector.edges.judge import Judge
    from connector.pipeline.batches import Batches
    from connector.pipeline.taking import Source, Taking

    judge = Judge() if link.strict else None
    try:
        taking = Taking(store, wiring.now, wiring.fresh, judge)
        source = Source(person.actor)
        return (await Batches(taking, store, wiring.now, wiring.fresh).take(link, content, source)).outcomes
    finally:
        if judge is not None:
            await judge.close()
