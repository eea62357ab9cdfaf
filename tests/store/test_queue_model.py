"""The queue against a plain model of it, whatever happens in which order.

The model is lists: each message has a number, its lanes, and a state. What may go out is what stands first in
all of its lanes, is not refused, and whose time has come. A crash is another store over the same file.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from audit import Tag, verify
from connector.errors import ConnectorError
from connector.store import Delivery, Outgoing, State
from tests.store.site import LINK, NOW, TO_FHIR, draft, open_store, rows, take

PATIENTS = ("Patient/a", "Patient/b", "Patient/c")
OPEN = (Delivery.QUEUED, Delivery.SENDING, Delivery.REFUSED)
LANES = st.one_of(
    st.sampled_from([(one,) for one in PATIENTS]),
    st.lists(st.sampled_from(PATIENTS), min_size=2, max_size=3, unique=True).map(tuple),
)


@dataclass
class Message:
    """One of the outbox, as the model has it."""

    number: int
    of: int
    lanes: frozenset[str]
    payload: bytes
    delivery: Delivery = Delivery.QUEUED
    due: int = 0  # seconds after the start
    attempts: int = 0


@dataclass
class Taken:
    """One of the inbox, as the model has it."""

    number: int
    payload: bytes
    state: State = State.WAITING
    copy: bool = False


@dataclass
class Model:
    """What should be so."""

    taken: dict[int, Taken] = field(default_factory=dict)
    made: dict[int, Message] = field(default_factory=dict)
    now: int = 0

    def open(self) -> list[Message]:
        return sorted((one for one in self.made.values() if one.delivery in OPEN), key=lambda one: one.number)

    def first(self) -> list[Message]:
        """What stands first in all of its lanes."""
        seen: set[str] = set()
        found = []
        for one in self.open():
            if not one.lanes & seen:
                found.append(one)
            seen |= one.lanes
        return found

    def heads(self) -> list[int]:
        return [one.number for one in self.first() if one.delivery in OPEN[:2] and one.due <= self.now]

    def in_state(self, *states: Delivery) -> list[int]:
        return [one.number for one in self.made.values() if one.delivery in states]

    def settle(self, number: int) -> None:
        """The state of a received message follows from those of what was made of it."""
        taken = self.taken[number]
        if taken.state in (State.WAITING, State.REPLACED):
            return
        states = {one.delivery for one in self.made.values() if one.of == number}
        taken.state = (
            State.TRANSLATED
            if states & set(OPEN)
            else State.DEAD
            if Delivery.DEAD in states
            else State.DELIVERED
        )


class Queue(RuleBasedStateMachine):
    """The store, and beside it the model."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="queue-model-"))
        self.loop = asyncio.new_event_loop()
        self.store = open_store(self.folder)
        self.model = Model()
        self.serial = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self._do(self.store.close())
            assert verify(self.folder / "store.db").good
            self.loop.close()
            shutil.rmtree(self.folder)

    def _do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def _refused(self, work: Any) -> None:
        """What is asked does not fit the state, and changes nothing: the invariants look."""
        try:
            self._do(work)
        except ConnectorError:
            return
        raise AssertionError("it was done")

    def _now(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self.model.now)

    # --- what comes in ---

    @rule()
    def accept(self) -> None:
        self.serial += 1
        payload = b"MSH|%d" % self.serial
        accepted = self._do(take(self.store, str(self.serial), payload))
        assert accepted.id not in self.model.taken
        self.model.taken[accepted.id] = Taken(accepted.id, payload)

    @precondition(lambda self: any(not one.copy for one in self.model.taken.values()))
    @rule(data=st.data())
    def accept_again(self, data: st.DataObject) -> None:
        first = data.draw(st.sampled_from([one for one in self.model.taken.values() if not one.copy]))
        again = self._do(take(self.store, first.payload.partition(b"|")[2].decode(), first.payload))
        assert (again.id, again.duplicate) == (first.number, True)

    @precondition(lambda self: any(one.state is State.WAITING for one in self.model.taken.values()))
    @rule(lanes=st.lists(LANES, max_size=3))
    def translate(self, lanes: list[tuple[str, ...]]) -> None:
        (item,) = self._do(self.store.pending(LINK, TO_FHIR, 1))
        waiting = [one.number for one in self.model.taken.values() if one.state is State.WAITING]
        assert (item.id, item.payload) == (min(waiting), self.model.taken[min(waiting)].payload)
        before = {row[0] for row in rows(self.folder, "SELECT id FROM outbox")}
        made = [Outgoing(b"%d/%d" % (item.id, n), {}, each) for n, each in enumerate(lanes)]
        self._do(self.store.translated(item.id, made, [], [], [draft(Tag.MESSAGE_V2_TRANSLATED)]))
        new = sorted({row[0] for row in rows(self.folder, "SELECT id FROM outbox")} - before)
        assert len(new) == len(made)
        for number, one in zip(new, made):
            self.model.made[number] = Message(number, item.id, frozenset(one.lanes), one.payload)
        self.model.taken[item.id].state = State.TRANSLATED
        self.model.settle(item.id)

    @precondition(lambda self: any(one.state is State.WAITING for one in self.model.taken.values()))
    @rule()
    def do_not_translate(self) -> None:
        (item,) = self._do(self.store.pending(LINK, TO_FHIR, 1))
        self._do(self.store.untranslatable(item.id, "MessageError", [draft()]))
        self.model.taken[item.id].state = State.DEAD

    # --- what goes out ---

    def _head(self, data: st.DataObject) -> Message:
        return self.model.made[data.draw(st.sampled_from(self.model.heads()))]

    def _end(self, one: Message, delivery: Delivery) -> None:
        one.delivery = delivery
        self.model.settle(one.of)

    @precondition(lambda self: self.model.heads())
    @rule(data=st.data())
    def intend(self, data: st.DataObject) -> None:
        one = self._head(data)
        one.attempts += 1
        self._do(self.store.intent(one.number, one.attempts, self._now(), [draft()]))
        self._end(one, Delivery.SENDING)

    @precondition(lambda self: self.model.heads())
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        one = self._head(data)
        self._do(self.store.delivered(one.number, self._now(), [], [draft()]))
        self._end(one, Delivery.DELIVERED)

    @precondition(lambda self: self.model.heads())
    @rule(data=st.data(), seconds=st.integers(0, 3))
    def retry(self, data: st.DataObject, seconds: int) -> None:
        one = self._head(data)
        one.due = self.model.now + seconds
        at = NOW + dt.timedelta(seconds=one.due)
        self._do(self.store.retry(one.number, at, "PartnerBusy", [draft()]))
        self._end(one, Delivery.QUEUED)

    @precondition(lambda self: self.model.heads())
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        one = self._head(data)
        self._do(self.store.refused(one.number, "PartnerRefusedMessage", [draft()]))
        self._end(one, Delivery.REFUSED)

    @precondition(lambda self: self.model.heads())
    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        one = self._head(data)
        self._do(self.store.dead(one.number, "PartnerRefusedMessage", [draft()]))
        self._end(one, Delivery.DEAD)

    @rule(seconds=st.integers(1, 3))
    def time_goes_by(self, seconds: int) -> None:
        self.model.now += seconds

    # --- what people do ---

    @precondition(lambda self: self.model.in_state(Delivery.REFUSED))
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        one = self.model.made[data.draw(st.sampled_from(self.model.in_state(Delivery.REFUSED)))]
        self._do(self.store.skip(one.number, [draft()]))
        self._end(one, Delivery.DEAD)

    @precondition(lambda self: self.model.made)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        one = self.model.made[data.draw(st.sampled_from(sorted(self.model.made)))]
        asked = self.store.replay_delivery(one.number, [draft()])
        if one.delivery not in (Delivery.DEAD, Delivery.DELIVERED, Delivery.REFUSED):
            return self._refused(asked)
        self._do(asked)
        one.due = 0
        return self._end(one, Delivery.QUEUED)

    @precondition(lambda self: self.model.made)
    @rule(data=st.data())
    def correct(self, data: st.DataObject) -> None:
        one = self.model.made[data.draw(st.sampled_from(sorted(self.model.made)))]
        new = one.payload + b"*"
        asked = self.store.revise_delivery(one.number, new, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
        if one.delivery not in (Delivery.DEAD, Delivery.REFUSED):
            return self._refused(asked)
        kept = self._do(asked)
        self.model.made[kept] = Message(kept, one.of, one.lanes, one.payload, Delivery.REPLACED)
        one.payload, one.due = new, 0
        return self._end(one, Delivery.QUEUED)

    def _replace(self, number: int) -> None:
        for one in self.model.made.values():
            if one.of == number and one.delivery is Delivery.DEAD:
                one.delivery = Delivery.REPLACED

    @precondition(lambda self: self.model.taken)
    @rule(data=st.data())
    def translate_again(self, data: st.DataObject) -> None:
        taken = self.model.taken[data.draw(st.sampled_from(sorted(self.model.taken)))]
        asked = self.store.replay_translation(taken.number, [draft()])
        if taken.state not in (State.DEAD, State.DELIVERED):
            return self._refused(asked)
        self._do(asked)
        self._replace(taken.number)
        taken.state = State.WAITING
        return None

    @precondition(lambda self: any(one.state is State.DEAD for one in self.model.taken.values()))
    @rule(data=st.data())
    def correct_message(self, data: st.DataObject) -> None:
        dead = [one for one in self.model.taken.values() if one.state is State.DEAD]
        taken = data.draw(st.sampled_from(dead))
        copy = self._do(
            self.store.revise(taken.number, b"mended", self._now(), [draft(Tag.OPERATOR_MESSAGE_EDITED)])
        )
        self._replace(taken.number)
        taken.state = State.REPLACED
        self.model.taken[copy] = Taken(copy, b"mended", copy=True)

    # --- what happens ---

    @rule()
    def crash(self) -> None:
        """The store is opened anew, and knows what the old one knew."""
        old, self.store = self.store, open_store(self.folder)
        self._do(old.close())

    # --- what must be so at any time ---

    @invariant()
    def what_may_go_out_is_what_the_model_says(self) -> None:
        found = self._do(self.store.heads(LINK, TO_FHIR, self._now(), 99))
        assert [one.id for one in found] == self.model.heads()
        for one in found:
            known = self.model.made[one.id]
            assert (one.payload, one.unsure) == (known.payload, known.delivery is Delivery.SENDING)

    @invariant()
    def every_message_is_where_the_model_has_it(self) -> None:
        made = dict(rows(self.folder, "SELECT id, delivery FROM outbox"))
        assert made == {one.number: one.delivery for one in self.model.made.values()}
        taken = dict(rows(self.folder, "SELECT id, state FROM inbox"))
        assert taken == {one.number: one.state for one in self.model.taken.values()}

    @invariant()
    def the_lanes_say_what_stands_in_them(self) -> None:
        shown = self._do(self.store.lanes(LINK, TO_FHIR))
        lanes: dict[str, list[Message]] = {}
        for one in self.model.open():
            for lane in one.lanes:
                lanes.setdefault(lane, []).append(one)
        first = {one.number for one in self.model.first()}
        expected = sorted(
            (of[0].number, len(of), _blocked(of[0], first), max(of[0].due, 0)) for of in lanes.values()
        )
        assert sorted((one.head, one.depth, one.blocked, _seconds(one.due_at)) for one in shown) == expected

    @invariant()
    def the_counts_reconcile(self) -> None:
        counts = self._do(self.store.counts()).get((LINK, TO_FHIR))
        if counts is None:
            return
        assert counts.reconciled
        of = self.model.in_state
        assert (counts.queued, counts.stopped) == (
            len(of(Delivery.QUEUED, Delivery.SENDING)),
            len(of(Delivery.REFUSED)),
        )
        assert (counts.sent, counts.parked) == (len(of(Delivery.DELIVERED)), len(of(Delivery.DEAD)))


def _blocked(head: Message, first: set[int]) -> str:
    return "stopped" if head.delivery is Delivery.REFUSED else "" if head.number in first else "behind"


def _seconds(at: dt.datetime | None) -> int:
    return 0 if at is None else int((at - NOW).total_seconds())


Queue.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestQueue = Queue.TestCase
