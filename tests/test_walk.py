"""Nothing has an effect without an entry in the audit log: every route, command and step that writes or
shows.

What has none is listed here with its reason, and must really have none. Each rule is shown to notice: a
route, a command, a way into the store and a reader without an entry are planted in a copy of the source.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any, Final

import click
import pytest

from connector import cli
from connector.commands.admitting import PERMISSIONS, UNASKED
from connector.edges import authorization_http, http_api, login_http, operator_looks
from connector.edges.operator_api import ROUTES, Route
from tests.walk import ROOT, STORE, Walk

SHOWS_NUMBERS = "shows numbers, states and names, nothing of a message; changes nothing"
PUBLIC = "public, for every peer that TLS let in, which is on record (tls:peer:admitted)"
NO_STORE = "works without the store of a service"

ROUTES_WITHOUT: Final = {
    "GET /operator/me": "says who asks; the token or login is on record",
    **dict.fromkeys(
        (
            "GET /operator/lanes", "GET /operator/findings", "GET /operator/counts", "GET /operator/pauses",
            "GET /operator/messages", "GET /operator/messages/{number}", "GET /operator/deliveries",
            "GET /operator/deliveries/{number}", "GET /operator/conflicts",
            "GET /operator/conflicts/{number}",
        ),
        SHOWS_NUMBERS,
    ),
    "GET /fhir/metadata": PUBLIC,
    "GET /.well-known/oauth-protected-resource": PUBLIC,
    "GET /.well-known/oauth-protected-resource/fhir": PUBLIC,
    "GET /fhir/.well-known/smart-configuration": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "* /oauth/jwks": PUBLIC,
    "* /.well-known/oauth-authorization-server": PUBLIC,
}  # fmt: skip
COMMANDS_WITHOUT: Final = {
    **dict.fromkeys(
        (
            "status", "queue list", "queue why", "conflicts list", "keys status", "authorization keys",
            "tls check", "tls probe",
        ),
        SHOWS_NUMBERS,
    ),
    "config show": "shows what the settings and profiles say, whose hashes are on record; no secrets",
    "health": "asks what every peer may ask",
    "store scan": "looks for readable traces from outside, and opens nothing",
    **dict.fromkeys(
        ("demo", "translate", "maps", "send", "profile check", "profile schema", "audit verify"), NO_STORE
    ),
}  # fmt: skip
DOORS_WITHOUT: Final = {
    "door.Door._write": "is how the others write",
    "feeding.Feeding.begin_feed": "marks where a feed begins; nothing is sent by it",
    "keydesk.KeyDesk._kept": "a day's key, made for the record that is written with it, which has its entry",
    "rotating.Rotating._kept": "keys wrapped anew, piece by piece: keys:rewrapped says how many",
    "sending.Sending._gathered": "moves what waits to another lane, as the profile says: see profile:changed",
    "store.Store.remember": "what an attempt to deliver has learned; the attempt has its entry",
}
SAYS: Final = frozenset({"payload", "made_payload", "resources", "resource", "prior_message", "look"})
"""Methods of the store that give what messages say."""
READERS: Final = {
    "connector.pipeline.operate.content": "puts it on record first",
    "connector.wiring.backups._opens": "a drill, on record, sees that contents open; shows none",
}
REGISTERS: Final = {
    "connector.edges.http_api", "connector.edges.operator_api", "connector.edges.authorization_http",
    "connector.edges.login_http", "connector.app",
}  # fmt: skip


def routes() -> dict[str, tuple[str, str]]:
    """Every address of the service, and the function that answers there."""
    api: Any = http_api.Api.__new__(http_api.Api)
    api.base = "https://localhost/fhir"
    found = {
        f"{method} {path}": (http_api.__name__, answer.__name__)
        for method, path, answer in http_api._routes(api)
    }
    found |= {
        f"{one.method} /operator{one.path}": (one.answer.__module__, one.answer.__name__) for one in ROUTES
    }
    found |= {
        f"* {path}": (authorization_http.__name__, name)
        for path, name in (
            (authorization_http.TOKEN, "_issued"),
            (authorization_http.JWKS, "routes.jwks"),
            (authorization_http.METADATA, "routes.described"),
        )
    }
    return found | {
        f"* {path}": (login_http.__name__, f"routes.{name}")
        for path, name in (
            (login_http.LOGIN, "begin"),
            (login_http.CALLBACK, "back"),
            (login_http.LOGOUT, "end"),
        )
    }


def commands() -> dict[str, tuple[str, str]]:
    """Every command, and the function that does it."""
    return {
        name: (str(one.callback.__module__), one.callback.__name__)
        for name, one in _leaves(cli.main, "")
        if one.callback is not None
    }


def _leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name.strip(), command
        return
    context = click.Context(command)
    for one in command.list_commands(context):
        found = command.get_command(context, one)
        assert found is not None
        yield from _leaves(found, f"{name} {one}")


def without(walk: Walk, found: dict[str, tuple[str, str]]) -> set[str]:
    return {name for name, place in found.items() if not walk.records(*place)}


@pytest.fixture(scope="module")
def walk() -> Walk:
    return Walk()


def test_every_route_leaves_an_entry_or_is_listed_with_its_reason(walk: Walk) -> None:
    assert without(walk, routes()) == ROUTES_WITHOUT.keys()


def test_every_command_leaves_an_entry_or_is_listed_with_its_reason(walk: Walk) -> None:
    found = commands()
    assert without(walk, found) == COMMANDS_WITHOUT.keys()
    asked = {name.partition(" --")[0] for name in PERMISSIONS} | UNASKED
    touching = {name for name in found if COMMANDS_WITHOUT.get(name) not in (NO_STORE,)} - {"store scan"}
    assert touching == asked, "who has a row in PERMISSIONS touches the store, and the other way round"


def test_every_way_to_write_into_the_store_takes_its_entry_along(walk: Walk) -> None:
    assert {name for name, recording in walk.doors.items() if not recording} == DOORS_WITHOUT.keys()
    assert len(walk.doors) > 30


def test_nobody_writes_into_the_store_with_no_entries(walk: Walk) -> None:
    assert [(name, one.empty) for name, one in walk.modules.items() if one.empty] == []


def test_what_messages_say_is_read_by_the_cycle_and_by_who_is_on_record(walk: Walk) -> None:
    assert set(_readers(walk)) == READERS.keys()


def test_routes_are_registered_where_this_looks_for_them(walk: Walk) -> None:
    assert set(_registering(walk)) == REGISTERS


def _readers(walk: Walk) -> Iterator[str]:
    """Functions beside the cycle (and in it, those of people) that read what messages say."""
    for module, one in walk.modules.items():
        if module.startswith((STORE, "connector.demo")):
            continue
        if module.startswith("connector.pipeline") and not module.endswith(".operate"):
            continue
        for name, calls in one.functions.items():
            if any(at.rpartition(".")[2] in ("store", "_store") and said in SAYS for at, said in calls):
                yield f"{module}.{name}"


def _registering(walk: Walk) -> Iterator[str]:
    for module, one in walk.modules.items():
        named = {name for calls in one.functions.values() for _, name in calls}
        mounts = any(("app", "mount") in calls for calls in one.functions.values())
        ways = mounts or named & {"add_api_route", "add_route"}
        routing = any(origin.startswith("starlette.routing") for origin, _ in one.imports.values())
        if not module.startswith("connector.demo") and (
            ways or (routing and named & {"Route", "Address", "Mount"})
        ):
            yield module


# --- each rule notices ------------------------------------------------------------------------------------


def _changed(module: str, more: str) -> Walk:
    path = ROOT / (module.replace(".", "/") + ".py")
    return Walk({module: f"{path.read_text('utf-8')}\n\n{more}\n"})


def test_a_route_without_an_entry_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = "async def planted(desk, asked):\n    return await desk.store.payload(asked.number)"
    walk = _changed(operator_looks.__name__, planted)

    async def planted_(desk: Any, asked: Any) -> Any: ...

    planted_.__module__, planted_.__name__ = operator_looks.__name__, "planted"
    monkeypatch.setitem(
        globals(), "ROUTES", (*ROUTES, Route("GET", "/planted", "operator:read", ROUTES[0].takes, planted_))
    )
    assert without(walk, routes()) - ROUTES_WITHOUT.keys() == {"GET /operator/planted"}
    assert set(_readers(walk)) - READERS.keys() == {f"{operator_looks.__name__}.planted"}


def test_a_route_that_no_longer_tells_is_noticed() -> None:
    source = inspect.getsource(operator_looks).replace(
        "asked.by(asked.what.because).content(one)", "desk.read(one)"
    )
    walk = Walk({operator_looks.__name__: source})
    assert without(walk, routes()) - ROUTES_WITHOUT.keys() == {
        "POST /operator/messages/{number}/content",
        "POST /operator/deliveries/{number}/content",
    }


def test_a_command_without_an_entry_is_noticed() -> None:
    module = "connector.commands.pause"
    source = (ROOT / "connector/commands/pause.py").read_text("utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "by":
            node.attr = "silently"
    assert without(Walk({module: ast.unparse(tree)}), commands()) - COMMANDS_WITHOUT.keys() == {"pause"}


def test_a_way_into_the_store_without_an_entry_is_noticed() -> None:
    planted = "class Planted(Door):\n    async def forget(self):\n        await self._write(lambda unit: 1)"
    walk = _changed("connector.store.operating", planted)
    assert walk.doors["operating.Planted.forget"] is False


def test_a_step_that_gives_no_entries_is_noticed() -> None:
    planted = "async def planted(self):\n    await self._store.dead(1, 'x', [], None)"
    walk = _changed("connector.pipeline.dispatch", planted)
    assert walk.modules["connector.pipeline.dispatch"].empty
