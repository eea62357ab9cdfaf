"""The keys that sign our access tokens: one that signs, and older ones whose tokens may still be good.

They lie in one file, a set of private JWKs (RFC 7517, ES384) in which every key but the one that signs has
an ``exp``: the second after which no token of it can be good. The file is replaced as a whole, so that who
reads it sees the set before or the set after. Whoever must not have signed is taken out of it by hand.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from connector.edges.jwks import SigningKey
from connector.edges.oauth import Issuer, TokenGuard
from connector.errors import ConfigurationError, InvalidJson, KeyUnavailable
from connector.fhir import json
from connector.profile.authorization import LONGEST
from connector.profile.endpoint import SELF
from connector.store.files import synced

ALGORITHM: Final = "ES384"
_CURVE: Final = "P-384"
MARGIN: Final = 120  # seconds a key verifies beyond the last token it can have signed, for clocks that differ
_FIX: Final = "make the first with: connector authorization rotate"
_MEND: Final = "put the right file back; or remove it, and make new keys: connector authorization rotate"


class TokenKey(NamedTuple):
    """One key. ``made_at``, ``ends_at``: seconds since the epoch; None: it signs."""

    key: ECKey
    kid: str
    made_at: int
    ends_at: int | None

    @property
    def public(self) -> dict[str, Any]:
        """As it is published."""
        shown = self.key.as_dict(private=False)
        point = {name: shown[name] for name in ("kty", "crv", "x", "y")}
        return {**point, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    @property
    def private(self) -> dict[str, Any]:
        """As it is kept."""
        ends = {} if self.ends_at is None else {"exp": self.ends_at}
        return {**self.public, "d": self.key.as_dict(private=True)["d"], "iat": self.made_at, **ends}


class SigningKeys:
    """The keys in a file, read again when it changes. ``clock``: seconds since the epoch.

    Everything raises ``KeyUnavailable`` or ``ConfigurationError`` once the file is gone, spoilt, or open to
    others: then nothing is signed, and no token counts, until it is mended.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._seen: tuple[int, ...] = ()
        self._keys: tuple[TokenKey, ...] = ()
        self._current()

    def signing(self) -> TokenKey:
        """The key that signs."""
        return next(one for one in self._current() if one.ends_at is None)

    def verifying(self) -> list[TokenKey]:
        """The keys whose tokens may still be good, the one that signs first."""
        now = self._clock()
        found = [one for one in self._current() if one.ends_at is None or one.ends_at > now]
        return sorted(found, key=lambda one: one.ends_at is not None)

    async def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """For who checks tokens in this process: the key of that id; None where there is none."""
        if algorithm != ALGORITHM:
            return None
        return next((one.key for one in self.verifying() if one.kid == kid), None)

    def _current(self) -> tuple[TokenKey, ...]:
        seen = _state(self._path)
        if seen != self._seen:
            self._seen, self._keys = (), ()
            self._keys = read(self._path)
            self._seen = seen
        return self._keys


class OwnIssuer(NamedTuple):
    """Our own issuer, for who checks its tokens in this process."""

    issuer: str
    keys: SigningKeys

    def is_named(self, issuer: str) -> bool:
        """Whether it is meant: as ``self``, or by its address."""
        return issuer in (SELF, self.issuer)

    def guard(
        self, audience: str, clients: Iterable[str], clock: Callable[[], float] = time.time
    ) -> TokenGuard:
        """Checks its tokens for one audience; without HTTP, and as strictly as they are made."""
        issuer = Issuer(
            issuer=self.issuer,
            audience=audience,
            clients=frozenset(clients),
            algorithms=(ALGORITHM,),
            bound=True,
            max_lifetime=LONGEST,
        )
        return TokenGuard(issuer, self.keys, clock)


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        raise KeyUnavailable("the keys of tokens are not there", fix=_FIX, location=str(path)) from None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def read(path: Path) -> tuple[TokenKey, ...]:
    """The keys of a file.

    Raises ``KeyUnavailable`` (not there, or others may read it), ``ConfigurationError`` (no such set, or not
    exactly one key that signs).
    """
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyUnavailable(
                    "others may read the keys of tokens", fix=f"chmod 600 {path}", location=str(path)
                )
            entries = json.loads(file.read())["keys"]
        keys = tuple(_key(entry) for entry in entries)
    except OSError:
        raise KeyUnavailable("the keys of tokens are not there", fix=_FIX, location=str(path)) from None
    except (InvalidJson, JoseError, LookupError, TypeError, ValueError):
        raise _spoilt("it holds no set of private ES384 keys", path) from None
    if [one.ends_at for one in keys].count(None) != 1 or len({one.kid for one in keys}) != len(keys):
        raise _spoilt("not exactly one of its keys signs, or two have the same kid", path)
    return keys


def _key(entry: dict[str, Any]) -> TokenKey:
    key = ECKey.import_key(entry)
    kid, made, ends = entry["kid"], entry["iat"], entry.get("exp")
    well = isinstance(kid, str) and isinstance(made, int) and isinstance(ends, int | None)
    if not (well and key.is_private and key.curve_name == _CURVE and entry.get("alg") == ALGORITHM):
        raise ValueError
    return TokenKey(key, kid, made, ends)


def _spoilt(what: str, path: Path) -> ConfigurationError:
    return ConfigurationError(f"the keys of tokens cannot be used: {what}", fix=_MEND, location=str(path))


class Rotation:
    """A new key that signs, beside the file and not in force yet; then ``take_effect`` or ``give_up``.

    ``kid``: the new key's; ``before``: that of the one it follows, "" for none; ``ended``: those of the keys
    that go, as no token of theirs can be good any more; with ``alone`` all others, and so their tokens.
    """

    def __init__(self, path: Path, now: int, token_seconds: int, *, alone: bool = False) -> None:
        self._path, self._draft = path, path.with_name(f".{path.name}.new")
        keys = read(path) if path.exists() else ()
        until = now + token_seconds + MARGIN
        key = ECKey.generate_key(_CURVE, private=True)
        self.kid = key.thumbprint()
        self.before = next((one.kid for one in keys if one.ends_at is None), "")
        self.ended = [one.kid for one in keys if alone or (one.ends_at is not None and one.ends_at <= now)]
        kept = [
            one._replace(ends_at=until) if one.ends_at is None else one
            for one in keys
            if one.kid not in self.ended
        ]
        self._write([TokenKey(key, self.kid, now, None), *kept])

    def take_effect(self) -> None:
        """Put the new set in the place of the old, at once and to stay."""
        os.replace(self._draft, self._path)
        synced(self._path.parent)

    def give_up(self) -> None:
        """Leave everything as it was."""
        self._draft.unlink(missing_ok=True)

    def _write(self, keys: list[TokenKey]) -> None:
        try:
            file = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            fix = f"let it end, or remove {self._draft}"
            raise ConfigurationError("another rotation is under way", fix=fix) from None
        except OSError as error:
            what = f"the keys of tokens cannot be written ({type(error).__name__})"
            raise KeyUnavailable(what, location=str(self._path)) from None
        try:
            with os.fdopen(file, "wb") as out:
                self._own(out.fileno())
                out.write(json.dumps({"keys": [one.private for one in keys]}))
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            self.give_up()
            raise

    def _own(self, file: int) -> None:
        """Who owned the file still does: the service could not read one that root made for itself."""
        if not self._path.exists():
            return
        was = self._path.stat()
        try:
            os.fchown(file, was.st_uid, was.st_gid)
        except PermissionError:
            fix = "rotate as that user, or as root"
            raise KeyUnavailable("the keys of tokens belong to another user", fix=fix) from None
