"""How often the token endpoint may be asked: token buckets by client and by address, and a quiet audit."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from connector.errors import TooManyTokens

MOST: Final = 10_000  # keys remembered at once; the one not seen for the longest time goes first
TOLD: Final = 5  # refusals by a limit that are told one by one in a second; of the others the number is
_MINUTE: Final = 60.0


class Limiter:
    """Lets ``each_minute`` through for each key, evenly or at once. ``seconds``: a clock that only grows."""

    def __init__(self, each_minute: int, seconds: Callable[[], float]) -> None:
        self._most, self._seconds = float(each_minute), seconds
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """One more. Raises ``TooManyTokens`` where there are too many already."""
        now, rate = self._seconds(), self._most / _MINUTE
        level, at = self._levels.get(key, (self._most, now))
        level = min(self._most, level + (now - at) * rate)
        if level < 1.0:
            raise TooManyTokens(
                "too many tokens are asked for",
                fix="use a token until it ends, and wait",
                after=math.ceil((1.0 - level) / rate),
            )
        self._levels[key] = level - 1.0, now
        self._levels.move_to_end(key)
        if len(self._levels) > MOST:
            self._levels.popitem(last=False)


class Flood:
    """How many refusals one told refusal stands for, so that who is refused cannot fill the disk."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._second, self._count = 0, 0

    def tells(self) -> int | None:
        """One more was refused: the number to tell; None: not now."""
        second, unsaid = int(self._seconds()), 0
        if second != self._second:
            self._second, unsaid, self._count = second, max(0, self._count - TOLD), 0
        self._count += 1
        return 1 + unsaid if self._count <= TOLD else None


def network_of(address: str) -> str:
    """The host of ``ip:port``; of IPv6 the /64, which one host may have for itself."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
