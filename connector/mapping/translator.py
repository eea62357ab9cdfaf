"""The translator of one partner: messages to bundles and back, with the list of what could not be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import SegmentSequence
from ..hl7v2 import structure
from ..hl7v2.delimiters import Delimiters
from ..hl7v2.tree import Message, Segment
from . import backward, explain, forward
from .assembly import resource_id
from .compiled import Atlas, Maps
from .completing import complete, renew
from .explain import Explained
from .filling import Filling, take_back
from .merge import over_prior
from .messages.changes import Rule, rules
from .messages.choosing import event_of, headed
from .messages.events import structure_of
from .messages.registry import known_messages
from .partner import Partner
from .places import Json
from .residue import unsaid
from .target import event_of_header, untouched
from .target import read as read_target
from .work import Target

_NOT_SAID: Final = ("id", "resourceType")


class Heard(NamedTuple):
    """A message and what it says by itself, over nothing."""

    tree: Message
    said: forward.Forward


class Translation(NamedTuple):
    """A translated message: ``bundle`` to FHIR, ``message`` to v2; ``lost``: what is not said there."""

    bundle: Json
    message: str
    lost: list[str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the sender of a v2 message decides about it, whatever FHIR says.

    ``event``: such as ``"ADT^A08"``. ``at``: the time of the message, as DTM. ``facilities``: MSH-3 to
    MSH-6. An empty text leaves what FHIR or the prior message says.
    """

    event: str = ""
    control_id: str = ""
    at: str = ""
    facilities: tuple[str, str, str, str] = ("", "", "", "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How new messages are written: the profile's ``[v2.to]``.

    ``acknowledgments``: MSH-15 and MSH-16, also of messages over a prior one, which asked for its own.
    """

    version: str = "2.5.1"
    processing_id: str = "P"
    charset: str = "UNICODE UTF-8"
    facilities: tuple[str, str, str, str] = ("", "", "", "")
    acknowledgments: tuple[str, str] = ("", "")


class Translator:
    """Translates for one partner. Stateless between calls and pure: equal input gives equal output."""

    def __init__(
        self,
        atlas: Atlas,
        outgoing: Outgoing | None = None,
        filling: Filling | None = None,
        table: tuple[Rule, ...] | None = None,
    ) -> None:
        self.atlas = atlas
        self.outgoing = outgoing or Outgoing()
        self.filling = filling or Filling()
        self.table = table if table is not None else rules()

    @classmethod
    def default(cls) -> Translator:
        """The shipped maps without a profile; times sent without an offset are taken as UTC."""
        from zoneinfo import ZoneInfo

        return cls(Atlas(Partner(zone=ZoneInfo("UTC"))))

    def bind(self, messages: Iterable[str]) -> None:
        """Bind the maps of messages (``ADT^A01``, ``ADT^*``) now, and not when the first of them comes."""
        for named in messages:
            for known in known_messages():
                if known == named or (named.endswith("^*") and known.startswith(named[:-1])):
                    code, _, event = known.partition("^")
                    self.atlas.of(code, event)

    # --- v2 to FHIR

    def to_fhir(
        self, message: str | Message | Heard, prior: Iterable[Json] | Json | None = None
    ) -> Translation:
        """A message as a transaction bundle of PUTs under ids that follow from its business identifiers.

        ``prior``: the resources (or a bundle of them) as they stand on the FHIR side; what the message does
        not say stays in them, what it sends as ``""`` goes. Raises ``UnreadableMessage``, and
        ``SegmentSequence`` where a message about a patient has no PID.
        """
        tree, said = message if isinstance(message, Heard) else self.heard(message)
        resources = said.assembly.resources
        if prior is not None:
            resources = self._over(tree, said, _by_reference(prior))
        return Translation(self._bundle(resources), "", said.lost)

    def heard(self, message: str | Message) -> Heard:
        """What a message says, to be translated more than once: for its keys, and over what these name.

        Raises as ``to_fhir`` does.
        """
        tree = message if isinstance(message, Message) else Message.parse(message)
        said = self._said(tree)
        self._demand_patient(said)
        return Heard(tree, said)

    def _said(self, tree: Message, fields: bool = True) -> forward.Forward:
        """What a message says, with what the profile assumes; ``fields``: also of fields not sent."""
        if self.filling:
            tree = tree.copy()
            self.filling.assume(tree, fields)
        return forward.to_fhir(tree, self._maps(tree))

    def _maps(self, tree: Message) -> Maps:
        return self.atlas.of_message(tree)

    def _over(self, tree: Message, said: forward.Forward, prior: Mapping[str, Json]) -> dict[str, Json]:
        """The resources over the prior ones; the profile's word on fields not sent overrides nothing."""
        if not self.filling.fields:
            return over_prior(said, prior)
        sent = self._said(tree, fields=False)
        assumed = said.assembly.resources
        if sent.assembly.resources.keys() != assumed.keys():  # the ids follow from what is assumed
            return over_prior(said, prior)
        merged = over_prior(sent, prior)
        for reference, resource in assumed.items():
            merged[reference] = {**resource, **merged[reference]} if reference in prior else resource
        return merged

    def _demand_patient(self, said: forward.Forward) -> None:
        if _lacks_patient(said):
            raise SegmentSequence("no patient", fix="send PID with an identifier or a name", location="PID")

    def _bundle(self, resources: Mapping[str, Json]) -> Json:
        base = self.atlas.partner.base
        bundle: Json = {"resourceType": "Bundle", "type": "transaction"}
        for reference in [name for name in resources if name[:7] == "Bundle/"]:
            bundle |= {name: value for name, value in resources[reference].items() if name not in _NOT_SAID}
        bundle["entry"] = [
            {
                "fullUrl": f"{base}/{reference}",
                "resource": resource,
                "request": {"method": "PUT", "url": reference},
            }
            for reference, resource in resources.items()
            if resource["resourceType"] != "Bundle"
        ]
        return bundle

    def explain(self, given: str | Message | Json, prior: Any = None) -> list[Explained]:
        """Where each element of a translation comes from, and by which row; the same for a bundle to v2.

        ``prior`` as with ``to_fhir`` or ``to_v2``. For people: it says every field again in parts.
        """
        if isinstance(given, dict):
            read = self._said(Message.parse(self.to_v2(given, prior).message))
            return explain.to_v2(read, read_target(given).resources)
        tree = given if isinstance(given, Message) else Message.parse(given)
        whole = tree.copy()
        filled = [(one.segment, one.number) for one in self.filling.assume(whole)]
        said = forward.to_fhir(whole, self._maps(whole))
        self._demand_patient(said)
        resources = said.assembly.resources
        if prior is not None:
            resources = self._over(tree, said, _by_reference(prior))
        return explain.to_fhir(said, resources, filled)

    # --- FHIR to v2

    def to_v2(
        self, bundle: Json, prior: str | Message | None = None, *, envelope: Envelope | None = None
    ) -> Translation:
        """A bundle as a message, over the prior message where there is one.

        What the bundle does not speak of stays as the prior message says it; entries with a DELETE request
        are taken out of it. Without a prior, the message is the one that MessageHeader names, else the
        envelope's, else the one that fits the resources. Raises ``InvalidResource``.
        """
        envelope = envelope or Envelope()
        event = envelope.event or event_of_header(bundle)
        sent = "" if prior is None else str(prior)
        target: Target | None = None
        if prior is None:
            start, target = self._new(), read_target(bundle)
            event = event or event_of(target.resources, self.table)
        else:
            start = Message.parse(sent)
        code, _, trigger = (event or f"{start.message_code}^{start.trigger_event}").partition("^")
        maps = self.atlas.of(code, trigger)
        assumed = self.filling.assume(start)
        before = forward.to_fhir(start, maps)
        target = target or read_target(bundle, before.assembly.resources)
        plainly = prior is not None and envelope == Envelope() and not self.filling
        if plainly and untouched(target, before.assembly.resources):
            return Translation({}, sent, [])
        was_v2 = headed(target.resources)
        foreseen = structure.of(start.version, code, trigger)
        message = backward.to_v2(before, target, maps.declared.written(was_v2, foreseen))
        take_back(assumed, start.delimiters)
        if prior is None:
            message.msh.set(18, self.outgoing.charset)
        if envelope.event or envelope.control_id or (prior is None and not was_v2):
            self._address(message, event, envelope)
        if prior is None and (envelope.event or not was_v2):
            complete(message)
        elif prior is not None and envelope.event:
            renew(message, start, sent)
        self.filling.write(message)
        return Translation({}, str(message), self._unsaid(message, target, sent))

    def _unsaid(self, message: Message, target: Target, before: str) -> list[str]:
        """What of FHIR the message, read again, does not say."""
        text = str(message)
        said = target.base if text == before else self._said(Message.parse(text)).assembly.resources
        wanted = {
            reference: resource
            for reference, resource in target.resources.items()
            if resource["resourceType"] not in ("Bundle", "MessageHeader")
            and not (resource is target.base.get(reference) and said.get(reference) == resource)
        }
        return unsaid(wanted, said, target.standing | target.resources.keys(), target.aside)

    def _new(self) -> Message:
        d = Delimiters()
        encoding = d.component + d.repetition + d.escape + d.subcomponent
        header = Segment("MSH" + d.field + encoding, d)
        header.set(12, self.outgoing.version)
        return Message([header], d)

    def _address(self, message: Message, event: str, envelope: Envelope) -> None:
        """MSH and EVN of a message that goes out under a name of its own."""
        msh, d, out = message.msh, message.delimiters, self.outgoing
        facilities = envelope.facilities if any(envelope.facilities) else out.facilities
        for number, text in enumerate(facilities, 3):
            if text:
                msh.set(number, d.escape_text(text))
        if envelope.at or not msh.field(7):
            msh.set(7, envelope.at or msh.field(7))
        if event and (envelope.event or not msh.field(9)):
            code, _, trigger = event.partition("^")
            msh.set(9, d.component.join((code, trigger, structure_of(code, trigger))))
        if envelope.control_id or not msh.field(10):
            msh.set(10, envelope.control_id or resource_id(str(message))[:20])
        msh.set(11, msh.field(11) or out.processing_id)
        if envelope.control_id:  # a prior message's number, continuation and wishes were its sender's
            for number, text in enumerate(("", "", *out.acknowledgments), 13):
                msh.set(number, text)
        if event.startswith("ADT") and message.first("EVN") is None:
            message.segments.insert(message.segments.index(msh) + 1, Segment("EVN", d, msh.end or "\r"))
        evn = message.first("EVN")
        if evn is not None and evn.field(1) and envelope.event:
            evn.set(1, event.partition("^")[2])
        if evn is not None and (envelope.at or not evn.field(2)):
            evn.set(2, envelope.at or msh.field(7))


def _lacks_patient(said: forward.Forward) -> bool:
    """Whether a message speaks of what belongs to a patient and of no patient."""
    if any(spoken.seed and spoken.references[0] for spoken in said.spoken):
        return False
    units = [(said.units[spoken.instance.unit].declared, spoken.references[0]) for spoken in said.spoken]
    if any(reference for unit, reference in units if unit.name == "patient"):
        return False
    return any("patient" in unit.under and not unit.free for unit, _ in units)


def _by_reference(prior: Iterable[Json] | Json) -> dict[str, Json]:
    if isinstance(prior, Mapping):
        prior = [entry["resource"] for entry in prior.get("entry", ())] if "entry" in prior else [dict(prior)]
    return {
        f"{resource['resourceType']}/{resource['id']}": resource for resource in prior if "id" in resource
    }
