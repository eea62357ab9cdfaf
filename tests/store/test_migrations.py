from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import connector.store.migrations as migrations
from audit import AuditLog
from connector.errors import AuditRefused, ConfigurationError, KeyUnavailable, StoreUnavailable
from connector.store import FileKeyProvider, Store, database
from connector.store.tables import METADATA
from tests.store.site import new_store, rows, take

_OURS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'audit%'"


async def _made(folder: Path) -> None:
    await new_store(folder).close()


async def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    await _made(tmp_path)
    migrated = {name: _bare(sql) for name, sql in rows(tmp_path, _OURS)}
    other = tmp_path / "other.db"
    METADATA.create_all(create_engine(f"sqlite:///{other}"))
    connection = sqlite3.connect(other)
    declared = {name: _bare(sql) for name, sql in connection.execute(_OURS)}
    connection.close()
    migrated.pop("alembic_version")
    assert migrated == declared


def _bare(sql: str) -> str:
    return re.sub(r"\s+", " ", sql)


async def test_alembic_finds_nothing_to_do(tmp_path: Path) -> None:
    await _made(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _not_the_log})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def _not_the_log(name: str | None, kind: str, _: Any) -> bool:
    return not (kind == "table" and name == "audit_entry")


def test_the_store_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


async def test_a_store_opens_again_with_what_it_had(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    await take(store)
    await store.close()
    again = new_store(tmp_path)
    assert (await take(again)).duplicate
    await again.close()


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    await take(store)
    modes = _modes(tmp_path)
    assert modes.keys() >= {"store.db", "store.db-wal"}
    assert set(modes.values()) == {0o600}
    await store.close()


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.glob("store.db*")}


async def test_sqlite_is_told_to_keep_its_promises(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    def pragmas(unit: Any) -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "temp_store")
        return {name: unit.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert await store._write(pragmas) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "temp_store": 2,
    }
    await store.close()


async def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await _made(tmp_path)
    rows(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="newer"):
        new_store(tmp_path)


async def test_a_store_does_not_open_with_another_key(tmp_path: Path) -> None:
    await _made(tmp_path)
    other = FileKeyProvider.create(tmp_path / "other.key")
    for read_only in (False, True):
        with pytest.raises(KeyUnavailable):
            Store.open(tmp_path / "store.db", other, AuditLog(), read_only=read_only)
    rows(tmp_path, "DELETE FROM wrapped_key")
    for keys in (other, FileKeyProvider(tmp_path / "kek.key")):
        with pytest.raises(KeyUnavailable):
            Store.open(tmp_path / "store.db", keys, AuditLog())


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TRIGGER audit_entry_no_update",
        "DROP TRIGGER audit_entry_no_delete",
        "DROP TRIGGER audit_entry_in_order",
        "DROP TABLE audit_entry",
        "ALTER TABLE audit_entry ADD COLUMN note TEXT",
        "CREATE TRIGGER mine AFTER INSERT ON audit_entry BEGIN SELECT 1; END",
    ],
)
async def test_a_store_whose_audit_log_was_altered_does_not_open(tmp_path: Path, sql: str) -> None:
    await _made(tmp_path)
    rows(tmp_path, sql)
    with pytest.raises(AuditRefused):
        new_store(tmp_path)


async def test_an_opening_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(AuditLog):
        def install(self, connection: Any, *, new: bool = True) -> None:
            super().install(connection, new=new)
            raise RuntimeError

    with pytest.raises(AuditRefused):
        new_store(tmp_path, Broken())
    assert rows(tmp_path, "SELECT name FROM sqlite_master") == []
    await _made(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StoreUnavailable):
        new_store(tmp_path)
    keys = FileKeyProvider(tmp_path / "kek.key")
    for url, kind in (("postgresql://x/y", ConfigurationError), (tmp_path / "no" / "x.db", StoreUnavailable)):
        with pytest.raises(kind):
            Store.open(url, keys, AuditLog())


async def test_a_store_can_be_read_while_another_writes(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        new_store(tmp_path, read_only=True)
    store = new_store(tmp_path)
    reader = new_store(tmp_path, read_only=True)
    await take(store)
    assert len(await reader.recent(10)) == 1
    with pytest.raises(StoreUnavailable):
        await take(reader)
    await reader.close()
    await store.close()


async def test_an_address_may_be_a_url(tmp_path: Path) -> None:
    keys = FileKeyProvider.create(tmp_path / "kek.key")
    odd = tmp_path / "a ?&%41#.db"
    store = Store.open(f"sqlite:///{odd}", keys, AuditLog())
    await take(store)
    await store.close()
    assert odd.is_file()
