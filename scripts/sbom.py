"""``python -m scripts.sbom [FILE]``: what runs, as CycloneDX 1.6: the project and its locked dependencies.

The same locks give the same bytes: no time, no random number, and nothing of the machine. Licences are those
that the installed packages name, so it runs in the environment of the locks (``make sbom``).
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

ROOT: Final = Path(__file__).parent.parent
LOCK: Final = ROOT / "requirements.lock"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PACKAGE: Final = re.compile(rf"^({_NAME})(?:\[[^\]]*\])?==([^ \\;]+)", re.MULTILINE)
_USERS: Final = re.compile(rf"^ +#(?: via |   )({_NAME})(?: \(pyproject\.toml\))?$", re.MULTILINE)


class Locked(NamedTuple):
    """One package of a lock, with the SHA-256 of its files and who needs it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]


def locked(text: str) -> Iterator[Locked]:
    """The packages of a lock as uv writes it."""
    _, *blocks = re.split(rf"^(?={_NAME}(?:\[[^\]]*\])?==)", text, flags=re.MULTILINE)
    for block in blocks:
        found = _PACKAGE.match(block)
        if found is not None:
            hashes = re.findall(r"sha256:([0-9a-f]{64})", block)
            yield Locked(found[1], found[2], tuple(hashes), tuple(_USERS.findall(block)))


def made(text: str) -> str:
    """The bill of materials of a lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = {one.name: one for one in locked(text)}
    parts = {name: _component(one) for name, one in packages.items()}
    top = Component(
        name=project["name"], version=project["version"], type=ComponentType.APPLICATION,
        bom_ref=project["name"], licenses=[LicenseFactory().make_from_string(project["license"])],
    )  # fmt: skip
    parts[top.name] = top
    bom = Bom(components=[parts[name] for name in packages], serial_number=_serial(text, top))
    bom.metadata.component = top
    needs: dict[str, list[Component]] = {name: [] for name in parts}
    for one in packages.values():
        for user in one.needed_by:
            needs[user].append(parts[one.name])
    for name, wanted in needs.items():
        bom.register_dependency(parts[name], wanted)
    return _without_time(bom)


def _serial(text: str, top: Component) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{top.name} {top.version}\n{text}")


def _without_time(bom: Bom) -> str:
    said = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    del said["metadata"]["timestamp"]
    return json.dumps(said, indent=2) + "\n"


def _component(one: Locked) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{one.name}=={one.version}",
        purl=PackageURL("pypi", None, one.name, one.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in one.hashes],
        licenses=[LicenseFactory().make_from_string(said) for said in _licences(one.name)],
    )


def _licences(name: str) -> list[str]:
    """What the installed package says of its licence in one line; nothing where it is not installed here."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    kinds = [
        kind.rpartition(" :: ")[2] for kind in said.get_all("Classifier", []) if kind.startswith("License ::")
    ]
    short = said.get("License") or ""
    expression = said.get("License-Expression") or (short if "\n" not in short and len(short) < 60 else "")
    return [expression] if expression else kinds[:1]


def main() -> None:
    """Write it to the file that is named, or to stdout."""
    text = made(LOCK.read_text())
    if len(sys.argv) > 1:
        Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
