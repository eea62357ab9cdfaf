"""``python -m audit witness [serve|key|show] [--config FILE]``: a witness on a host of its own."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from audit import witness_keys, witness_state
from audit.notes import Kind, encoded
from audit.signing import Signer
from audit.witness_http import WitnessServer
from audit.witness_keys import KeyFileRefused
from audit.witness_settings import Settings, SettingsRefused, load
from audit.witness_state import State, StateRefused
from audit.witnessing import Witness

DEFAULT: Final = Path("witness.toml")
SAID: Final = "Cosign the checkpoints of audit logs, each only after what was seen of its log before."


def main(arguments: Sequence[str]) -> int:
    """Run the command, of which these are the words after ``witness``; the exit code."""
    parser = argparse.ArgumentParser(prog="audit witness", description=SAID)
    parser.add_argument(
        "action",
        nargs="?",
        choices=tuple(_ACTIONS),
        default="serve",
        help="serve (also where nothing is said): answer; key: make a new witness, and print its public "
        "keys; show: print what it has seen",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT, metavar="FILE", help="witness.toml")
    parser.add_argument("--ml-dsa-44", action="store_true", help="key: an ML-DSA-44 key beside Ed25519")
    said = parser.parse_args(arguments)
    try:
        return _ACTIONS[said.action](load(said.config), said)
    except (SettingsRefused, KeyFileRefused, StateRefused, OSError) as error:
        sys.stderr.write(f"{said.config}: {error}\n")
        return 1


def _key(chosen: Settings, said: argparse.Namespace) -> int:
    """Make keys and an empty state, and print the public keys."""
    kinds = [Kind.COSIGNATURE, *([Kind.ML_DSA_44] if said.ml_dsa_44 else [])]
    if chosen.state.exists() and any(chosen.state.iterdir()):
        raise StateRefused("the folder of the state is not empty; a new witness begins with an empty one")
    keys = [signer.key for signer in witness_keys.make(chosen.key, chosen.name, kinds)]
    witness_state.create(chosen.state, keys)
    sys.stdout.write("".join(f"{key}\n" for key in keys))
    return 0


def _show(chosen: Settings, said: argparse.Namespace) -> int:
    """Print the public keys, what was seen of each log, and what was refused."""
    keys = [signer.key for signer in _signers(chosen)]
    lines = [*map(str, keys)]
    for origin, kept in witness_state.read(chosen.state, keys).items():
        at = dt.datetime.fromtimestamp(kept.at, dt.UTC).isoformat().replace("+00:00", "Z")
        lines.append(f"{origin}  size {kept.head.size}  root {encoded(kept.head.root)}  cosigned {at}")
    lines += [f"{origin}  REFUSED, see {path}" for origin, path in witness_state.put_aside(chosen.state)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _serve(chosen: Settings, said: argparse.Namespace) -> int:
    """Answer until SIGTERM or SIGINT."""
    signers = _signers(chosen)
    state = State(chosen.state, [signer.key for signer in signers])
    try:
        asyncio.run(_answer(chosen, Witness(chosen.logs, signers, state, _tell)))
    finally:
        state.close()
    return 0


async def _answer(chosen: Settings, witness: Witness) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = WitnessServer(chosen, witness.add)
    await server.start()
    _tell(f"listening on {chosen.host}:{server.port}")
    await ended.wait()
    await server.close()


def _signers(chosen: Settings) -> tuple[Signer, ...]:
    signers = witness_keys.read(chosen.key)
    fit = all(one.key.name == chosen.name and one.key.kind is not Kind.ED25519 for one in signers)
    if not fit:
        raise KeyFileRefused(f"{chosen.key.name} holds keys of another name or of another use")
    return signers


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


_ACTIONS: Final[dict[str, Callable[[Settings, argparse.Namespace], int]]] = {
    "serve": _serve,
    "key": _key,
    "show": _show,
}
