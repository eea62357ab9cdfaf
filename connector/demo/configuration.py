"""``connector.toml`` and the profile of a throw-away site.

The profile is the shipped one, ``profiles/demo/profile.toml``, with the fingerprints and ports of this
site in the places of those in the file; anything else in it stays word for word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.demo.certificates import fingerprint
from connector.errors import ConfigurationError

_SHIPPED: Final = (
    Path(__file__).parent / "profile" / "profile.toml",  # in a wheel
    Path(__file__).parents[2] / "profiles" / "demo" / "profile.toml",  # in a source checkout
)
_HOLDERS: Final = ("hospital", "fhir", "analyst")  # whose fingerprints the shipped profile numbers 1, 2, 3
_SETTINGS: Final = """\
# The settings of the demo site; every key is explained in profiles/README.md.

store = "store.db"
kek = "kek.key"
profiles = ["profiles/demo/profile.toml"]
drain_seconds = 5.0

[tls]
certificate = "connector.pem"
key = "connector.key"
trust = "ca.pem"
crl = "crl.pem"

[mllp]
port = {mllp}

[https]
port = {https}
base = "https://localhost:{https}/fhir"
"""


def write_configuration(folder: Path, *, mllp: int, https: int, hospital: int, sandbox: int) -> None:
    """Write ``connector.toml`` and ``profiles/demo/profile.toml`` into a folder that has its certificates.

    Raises ``ConfigurationError`` if the shipped profile is not there, or no longer has a place to fill in.
    """
    (folder / "connector.toml").write_text(_SETTINGS.format(mllp=mllp, https=https))
    profile = _shipped().read_text()
    for number, name in enumerate(_HOLDERS, start=1):
        profile = _filled(profile, f"sha256:{number:064}", fingerprint((folder / f"{name}.pem").read_bytes()))
    profile = _filled(profile, "port = 2576", f"port = {hospital}")
    profile = _filled(profile, "https://localhost:8444", f"https://localhost:{sandbox}")
    target = folder / "profiles" / "demo" / "profile.toml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(profile)


def _shipped() -> Path:
    for path in _SHIPPED:
        if path.is_file():
            return path
    raise ConfigurationError("the demo profile is not installed", fix="install the package again")


def _filled(text: str, place: str, value: str) -> str:
    if place not in text:
        raise ConfigurationError("the demo profile has no place for what belongs to the site", location=place)
    return text.replace(place, value)
