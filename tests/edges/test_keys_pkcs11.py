"""A hardware security module as the keeper of the key-encryption key: SoftHSM, by its real library.

Skipped where SoftHSM is not installed (Debian: ``apt-get install softhsm2``).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connector.errors import ConfigurationError

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
_SCENE = """
import asyncio, sys
from pathlib import Path
from audit import AuditLog
from connector.edges.keys_pkcs11 import Pkcs11KeyProvider
from connector.errors import KeyUnavailable, Tampered
from connector.store import Store
from tests.store.site import take
from tests.store.test_rotating import told

folder = Path(sys.argv[1])
def provider(token="connector", label="kek", pin="pin"):
    return Pkcs11KeyProvider(Path(sys.argv[2]), token, label, folder / pin)
def refused(kind, call, *given):
    try:
        call(*given)
    except kind as error:
        assert type(error) is kind, error
        return str(error)
    raise AssertionError(call)

keys, key = provider(), bytearray(b"k" * 32)
assert "no key of this label" in refused(KeyUnavailable, keys.wrap, key, b"")
first = keys.rotate()
assert first == keys.current() == "kek:00000001"
wrapped = keys.wrap(key, b"here")
assert keys.unwrap(wrapped, b"here") == key
refused(Tampered, keys.unwrap, wrapped, b"there")
for place in (0, 12, 59):
    blob = bytearray(wrapped.blob)
    blob[place] ^= 1
    refused(Tampered, keys.unwrap, wrapped._replace(blob=bytes(blob)), b"here")
refused(Tampered, keys.unwrap, wrapped._replace(blob=b""), b"here")
assert len({keys.wrap(key, b"").blob for _ in range(20)}) == 20

async def lives():
    store = Store.open(folder / "store.db", keys, AuditLog())
    await take(store, "1")
    assert await store.rotate_keys(told) == "kek:00000002"
    assert await store.rewrap(told) == 2
    assert await store.verify_keys(told, records=True) == (3, [])
    await store.close()
    store = Store.open(folder / "store.db", provider(), AuditLog())
    assert (await take(store, "1")).duplicate
    await store.close()
asyncio.run(lives())
assert keys.unwrap(wrapped, b"here") == key  # the first one is still there
refused(KeyUnavailable, keys.unwrap, wrapped._replace(key_id="kek:00000009"), b"here")
assert "PIN" in refused(KeyUnavailable, provider(pin="wrong").wrap, key, b"")
assert "token" in refused(KeyUnavailable, provider(token="other").wrap, key, b"")
assert "chmod 600" in refused(KeyUnavailable, provider(pin="open").wrap, key, b"")
print("all of it")
"""


@pytest.mark.skipif(not MODULE.exists(), reason="SoftHSM is not installed")
def test_a_token_wraps_rotates_and_refuses(tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    for name, pin in (("pin", "87654321"), ("wrong", "11111111"), ("open", "87654321")):
        (tmp_path / name).write_text(f"{pin}\n")
        (tmp_path / name).chmod(0o644 if name == "open" else 0o600)
    environment = {"SOFTHSM2_CONF": str(config), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    initialise = ["softhsm2-util", "--init-token", "--free", "--label", "connector"]
    initialise += ["--so-pin", "12345678", "--pin", "87654321"]
    subprocess.run(initialise, env=environment, check=True, capture_output=True, timeout=30)
    # in a process of its own: a library of PKCS#11 reads its configuration once
    done = subprocess.run(
        [sys.executable, "-c", _SCENE, str(tmp_path), str(MODULE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    from connector.edges.keys_pkcs11 import Pkcs11KeyProvider

    with pytest.raises(ConfigurationError):
        Pkcs11KeyProvider(tmp_path / "none.so", "token", "label", tmp_path / "pin")
