"""A witness at work: what is asked is decided, kept on the disk, cosigned and answered, in this order."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from audit.checkpoint import CheckpointRefused
from audit.notes import Note
from audit.primitives import check
from audit.signing import Signer
from audit.witness import Answer, Asked, Log, Refused, can_cosign, decide, read
from audit.witness_state import State

Tell = Callable[[str], None]
_TEXT: Final = "text/plain; charset=utf-8"


def _now() -> int:
    return int(time.time())


class Witness:
    """Cosigns checkpoints of known logs; may be asked from several threads.

    ``tell``: hears a line about each request that a known log has signed. ``clock``: POSIX seconds.
    """

    def __init__(
        self,
        logs: Sequence[Log],
        signers: Sequence[Signer],
        state: State,
        tell: Tell = lambda line: None,
        clock: Callable[[], int] = _now,
    ) -> None:
        self._logs, self._signers, self._state = logs, signers, state
        self._tell, self._clock = tell, clock
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._turn = threading.Lock()

    def add(self, body: bytes) -> Answer:
        """The answer to ``add-checkpoint``. What it says is on the disk when this returns."""
        try:
            asked = read(body, self._logs, check)
        except Refused as error:
            return Answer.refusal(error)
        origin = asked.head.origin
        with self._of(origin):
            try:
                answer = self._cosigned(asked)
            except Refused as error:
                answer = Answer.refusal(error)
                if error.forked:
                    self._put_aside(origin, body)
            except OSError as error:
                answer = Answer(500, _TEXT, b"what was seen cannot be kept\n")
                self._tell(f"{origin}: not kept: {type(error).__name__}")
        self._tell(f"{origin}: {asked.request.old} -> {asked.head.size}: {answer.status}")
        return answer

    def _cosigned(self, asked: Asked) -> Answer:
        decide(asked, self._state.seen(asked.head.origin))
        able = [one for one in self._signers if can_cosign(one.key.kind, asked.head)]
        if not able:
            raise Refused(400, "no key here can cosign a checkpoint with extension lines")
        at = self._clock()
        try:
            lines = tuple(one.signature(asked.note.text, at) for one in able)
        except CheckpointRefused as error:
            raise Refused(400, str(error)) from None
        note = Note(asked.note.text, (*asked.note.signatures, *lines))
        self._state.keep(asked.head, note, at)
        return Answer(200, _TEXT, "".join(map(str, lines)).encode())

    def _put_aside(self, origin: str, body: bytes) -> None:
        try:
            self._state.put_aside(origin, body)
        except OSError as error:
            self._tell(f"{origin}: what was refused could not be put aside: {type(error).__name__}")

    def _of(self, origin: str) -> threading.Lock:
        with self._turn:
            return self._turns[origin]
