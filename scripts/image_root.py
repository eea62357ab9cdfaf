"""``python image_root.py DEST TREE...``: the root of an image with these trees and what they load; no more.

No shell, no package tool, no setuid file: of the system come only the shared libraries that the programs and
modules of the trees name (asked of the loader itself), the loader, and who the user is. The standard library
alone is used here, because this runs within the build of the image.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

USER = 10001
LEFT_OUT = re.compile(
    r"lib/python3\.\d+/(?:test|idlelib|turtledemo|lib2to3|tkinter|ensurepip|config-3\..*)$"
    r"|site-packages/(?:pip|setuptools|wheel|pkg_resources|_distutils_hack)(?:-[^/]*)?$"
    r"|lib-dynload/(?:_tkinter|_curses|_curses_panel|readline|_dbm|_gdbm)\.[^/]*$"
    r"|bin/(?:pip|idle|2to3|pydoc|python[0-9.]*-config|[Aa]ctivate)[^/]*$|/lib/(?:pkgconfig|[^/]*\.a)$"
)
ASKED_FOR_LATE = ("libgcc_s.so.1",)  # by name, when a thread ends
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "toybox"})
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def main() -> None:
    """Build it."""
    destination, *trees = map(Path, sys.argv[1:])
    for tree in trees:
        _copy(tree, destination)
    for library in sorted(_libraries(destination)):
        _place(library, destination)
    _user(destination)
    for folder, mode in (("tmp", 0o1777), ("var/lib/connector", 0o700)):
        (destination / folder).mkdir(parents=True, exist_ok=True)
        (destination / folder).chmod(mode)
    for path in [one for one in programs(destination) if needs_shell(one)]:
        path.unlink()
    if found := [str(path) for path in programs(destination) if path.name in SHELLS]:
        sys.exit(f"there is a shell: {found}")


def _copy(tree: Path, destination: Path) -> None:
    """One tree without what only builds or installs; links stay links."""
    target = destination / tree.relative_to("/")
    shutil.copytree(tree, target, symlinks=True, dirs_exist_ok=True, ignore=_left_out)


def _left_out(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if LEFT_OUT.search(f"{folder}/{name}")]


def _libraries(root: Path) -> set[Path]:
    """The shared libraries of everything under it that is loaded, and the loader."""
    known = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    late = (re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", known, re.MULTILINE) for name in ASKED_FOR_LATE)
    found = {Path(one[1]) for one in late if one}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and _is_elf(path):
            said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)  # noqa: S603, S607
            found |= {Path(name) for name in _LIBRARY.findall(said.stdout)}
    return {path for path in found if not path.is_relative_to(root)}


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _place(library: Path, root: Path) -> None:
    """A library under the name by which it is asked for."""
    target = root / library.relative_to("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library.resolve(), target)
        target.chmod(0o755)


def _user(root: Path) -> None:
    etc = root / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "passwd").write_text(f"connector:x:{USER}:{USER}::/var/lib/connector:/nonexistent\n")
    (etc / "group").write_text(f"connector:x:{USER}:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def programs(root: Path) -> Iterator[Path]:
    """The files under it that may be executed."""
    for path in root.rglob("*"):
        if path.is_file() and path.stat().st_mode & stat.S_IXUSR:
            yield path


def needs_shell(path: Path) -> bool:
    """Whether a program is a script for a shell, which is of no use where there is none."""
    with path.open("rb") as file:
        return re.match(rb"#!\s*\S*/(?:env\s+)?(?:ba|da|a|z|k)?sh\b", file.read(64)) is not None


if __name__ == "__main__":
    main()
