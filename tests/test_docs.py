"""The documents say what is: their examples run, their tables are those of the code, their links lead on.

``python -m tests.test_docs`` writes the tables anew.
"""

from __future__ import annotations

import asyncio
import doctest
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import click
import msgspec
import pytest

from audit import AuditLog, Draft, Tag
from audit.keyfile import SigningKey
from audit.sealing import Sealer
from connector.cli import COMMANDS, main, module_of
from connector.commands.admitting import PERMISSIONS, UNASKED
from connector.edges.operator_api import PREFIX, ROUTES
from connector.errors import ANSWERS, ConnectorError
from connector.mapping.messages.registry import known_messages
from connector.profile.roles import EMERGENCY, GRANTS, MEANINGS, ROLES, Permission
from connector.store import FileKeyProvider, Store
from tests.profile.planted import DEMO

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
COMPLIANCE: Final = ROOT / "compliance" / "README.md"
DECISIONS: Final = ROOT / "compliance" / "decisions"
DOCUMENTS: Final = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("profiles/*.md"), *ROOT.glob("compliance/**/*.md")]
    if ".venv" not in path.parts
)
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_EXAMPLE: Final = re.compile(r"```console\n\$ ([^\n]+)\n(.*?)```", re.DOTALL)
_ELLIPSIS: Final = doctest.ELLIPSIS | doctest.REPORT_NDIFF


# --- the tables ---------------------------------------------------------------------------------------


def commands_table() -> str:
    """Every command with its arguments and options, as click knows them."""
    rows = [
        f"| `{' '.join(['connector', *names, *_parameters(command)])}` | {_meaning(names, command)} |"
        for names, command in _commands()
    ]
    return "\n".join(["| Command | What it does |", "| --- | --- |", *rows])


def _commands() -> Iterator[tuple[list[str], click.Command]]:
    for name in COMMANDS:
        command = importlib.import_module(module_of(name)).command
        if isinstance(command, click.Group):
            for inner, one in command.commands.items():
                yield [name, inner], one
        else:
            yield [name], command


def _parameters(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        said = _argument(parameter) if isinstance(parameter, click.Argument) else _option(parameter)
        yield said if parameter.required else f"[{said}]"


def _argument(parameter: click.Parameter) -> str:
    name = str(parameter.human_readable_name)
    return f"{name.removesuffix('...')}..." if parameter.nargs == -1 else name


def _option(parameter: click.Parameter) -> str:
    name = max(parameter.opts, key=len)
    if getattr(parameter, "is_flag", False):
        return name
    if isinstance(parameter.type, click.Choice):
        return name + " " + "\\|".join(map(str, parameter.type.choices))
    return f"{name} {parameter.metavar or parameter.type.name.upper()}"


def _meaning(names: list[str], command: click.Command) -> str:
    if len(names) == 1:
        return COMMANDS[names[0]]
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."


def errors_table() -> str:
    """What every error becomes on the wires."""
    head = ["| Error | When | MSA-1 | ERR-3 | Issue | HTTP | Again |", "| --- " * 7 + "|"]
    return "\n".join([*head, *(_answer(kind) for kind in ANSWERS)])


def _answer(kind: type[ConnectorError]) -> str:
    code, condition, issue, status, retry = ANSWERS[kind]
    when = "Any other fault." if kind is ConnectorError else _when(kind)
    return f"| `{kind.__name__}` | {when} | {code} | {condition} | {issue} | {status} | {retry.value} |"


def _when(kind: object) -> str:
    text = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    return text.replace("``", "`").replace("|", "\\|")


def decisions_list() -> str:
    """The records by number, each with its title."""
    records = [(path, path.read_text().partition("\n")[0]) for path in sorted(DECISIONS.glob("*.md"))]
    return "\n".join(
        f"- [{title.removeprefix('# ').replace('. ', ': ', 1)}](decisions/{path.name})"
        for path, title in records
    )


def routes_table() -> str:
    """Every address of the operators' API with its scope and what it takes; in bold what it needs."""
    rows = [
        f"| `{one.method} {PREFIX}{one.path}` | `{one.scope}` | {_names(one.takes)} | {_when(one.answer)} |"
        for one in ROUTES
    ]
    return "\n".join(["| Address | Scope | Takes | What it does |", "| --- " * 4 + "|", *rows])


def _names(form: type[msgspec.Struct]) -> str:
    fields = msgspec.structs.fields(form)
    return ", ".join(f"**`{one.name}`**" if one.required else f"`{one.name}`" for one in fields)


def roles_table() -> str:
    """Every permission with the roles that grant it, and the commands that need it."""
    head = ["Permission", *ROLES, "break-glass", "Commands"]
    rows = [
        [f"`{one}`: {meaning}", *("yes" if one in GRANTS[role] else "" for role in ROLES), _emergency(one)]
        for one, meaning in MEANINGS.items()
    ]
    named = [", ".join(f"`{name}`" for name in PERMISSIONS if PERMISSIONS[name] == one) for one in MEANINGS]
    lines = [" | ".join([*row, names]) for row, names in zip(rows, named)]
    return "\n".join(
        [f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {one} |" for one in lines)]
    )


def _emergency(permission: Permission) -> str:
    return "yes" if permission in EMERGENCY else ""


def messages_table() -> str:
    """The events that have a map, by message code."""
    events: dict[str, list[str]] = {}
    for name in sorted(known_messages()):
        code, _, event = name.partition("^")
        events.setdefault(code, []).append(f"`{event}`" if event else "")
    rows = [f"| {code} | {' '.join(named)} |" for code, named in events.items()]
    return "\n".join(("| Message | Events |", "| --- | --- |", *rows))


TABLES: Final = {
    "messages": (README, messages_table),
    "commands": (README, commands_table),
    "errors": (README, errors_table),
    "roles": (README, roles_table),
    "routes": (README, routes_table),
    "decisions": (COMPLIANCE, decisions_list),
}


def _between(text: str, name: str) -> str:
    found = re.search(rf"<!-- {name}: [^\n]*-->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    assert found is not None, name
    return found[1]


def _rewrite(name: str) -> None:
    path, table = TABLES[name]
    mark, made = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", table()
    text = path.read_text()
    path.write_text(re.sub(mark, lambda found: f"{found[1]}{made}\n{found[2]}", text, flags=re.DOTALL))


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_of_the_code(name: str) -> None:
    path, table = TABLES[name]
    assert _between(path.read_text(), name).strip() == table()


def test_the_decisions_are_numbered_without_gaps_and_short() -> None:
    records = sorted(DECISIONS.glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert "**Decision.**" in text, path.name
        assert len(text.splitlines()) <= 60, path.name


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for name in COMMANDS:
        command = importlib.import_module(module_of(name)).command
        assert isinstance(command, click.Command)
        assert command.help, name


def test_every_command_that_reads_the_settings_says_what_it_needs_or_that_it_needs_nothing() -> None:
    """The settings lead to the store, and no command finds it otherwise."""
    reading = {
        " ".join(names)
        for names, command in _commands()
        if any(one.name == "config" for one in command.params)
    }
    assert reading == {name.partition(" --")[0] for name in PERMISSIONS} | UNASKED


def test_every_error_has_a_meaning_and_a_row_of_its_own_or_its_parents() -> None:
    for kind in _kinds(ConnectorError):
        assert kind.__doc__, kind
        assert kind("what").answer in ANSWERS.values()


def _kinds(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ in ("connector.errors", "connector.message_errors"):
            yield from _kinds(inner)


# --- the examples -------------------------------------------------------------------------------------


def test_the_python_examples_of_the_readme_run_as_shown() -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    example = doctest.DocTestParser().get_doctest("".join(blocks), {}, "README.md", "README.md", 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=_ELLIPSIS)
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.fixture
async def site(tmp_path: Path) -> Path:
    """A store with a log, where the README's demo has its own."""
    store = Store.open(tmp_path / "store.db", FileKeyProvider.create(tmp_path / "kek.key"), AuditLog())
    await store.record([Draft("2026-11-23T10:00:00Z", Tag.SERVICE_STARTED, {"role": "connector"}, {})])
    await store.close()
    sealer = Sealer(
        tmp_path / "store.db", tmp_path / "store.audit", "demo", SigningKey(tmp_path / "store.audit.key")
    )
    sealer.seal()
    sealer.close()
    return tmp_path


def _examples() -> list[tuple[str, str]]:
    return _EXAMPLE.findall(README.read_text())


@pytest.mark.parametrize(("command", "output"), _examples(), ids=[command for command, _ in _examples()])
async def test_the_commands_of_the_readme_print_what_is_shown(command: str, output: str, site: Path) -> None:
    words = command.replace("var/demo", str(site)).split()
    assert words[0] in ("connector", "python")
    start = ["-m", "connector.cli"] if words[0] == "connector" else []
    done = await asyncio.to_thread(_run, [sys.executable, *start, *words[1:]])
    printed = f"{done.stdout.rstrip()}\n{done.stderr}"
    assert doctest.OutputChecker().check_output(output, printed, _ELLIPSIS), printed
    assert done.returncode == 0


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    from connector import settings

    path = tmp_path / "connector.toml"
    path.write_text("\n".join(re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)))
    profile = tmp_path / "profiles" / "demo" / "profile.toml"
    profile.parent.mkdir(parents=True)
    profile.write_text(DEMO.read_text())
    assert [one.name for one in settings.load(path).profiles] == ["demo"]


def test_the_key_that_the_readme_makes_is_one(tmp_path: Path) -> None:
    command = re.search(r"`\((umask [^`]*)\)`", README.read_text())
    assert command is not None
    subprocess.run(["sh", "-c", command[1]], cwd=tmp_path, check=True)
    assert FileKeyProvider(tmp_path / "kek.key").key_id


# --- what is named is there ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in _LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        aimed = (path.parent / file) if file else path
        assert aimed.exists(), target
        assert not anchor or anchor in _anchors(aimed.read_text()), target


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_and_file_that_a_document_names_is_there(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = path.read_text()
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in re.findall(
        r"`((?:connector|audit|tests|scripts|profiles|compliance|benchmarks)/[\w/.-]*)`", text
    ):
        assert (ROOT / name).exists() or "<" in name, name


def test_the_readme_begins_with_the_two_commands() -> None:
    commands = [line.split("#")[0].strip() for line in README.read_text().splitlines()[1:5] if line.strip()]
    assert commands == ["make run", "make test"]


def test_the_help_names_every_command() -> None:
    assert main.list_commands(click.Context(main)) == list(COMMANDS)


if __name__ == "__main__":
    for name in TABLES:
        _rewrite(name)
