"""A profile as the cycle needs it."""

from __future__ import annotations

from connector.pipeline.breaker import Pauses
from connector.pipeline.dispatch import Rules
from connector.pipeline.identity import Identity
from connector.pipeline.links import NO_BASE, Accepts, Link, Quota, Shape
from connector.pipeline.reconcile import Authority
from connector.profile import Profile
from connector.profile.translator import Translator
from connector.profile.windows import open_at


def link_of(profile: Profile, *, bound: bool = True) -> Link:
    """A profile as the cycle needs it. ``bound``: the maps are made ready, for who translates."""
    sender, receiver = profile.v2.sender, profile.v2.receiver
    translator = Translator.of(profile)
    if bound:
        translator.bind(profile.v2.messages)  # acknowledgments would wait for it
    return Link(
        name=profile.name,
        translator=translator,
        peers=frozenset((*sender.certificates, *sender.subjects)) if sender else frozenset(),
        clients=frozenset(profile.fhir.caller.clients) if profile.fhir.caller else frozenset(),
        accepts=Accepts(
            messages=frozenset(profile.v2.messages),
            versions=frozenset(profile.v2.versions),
            processing_ids=frozenset(profile.v2.processing_ids),
            applications=frozenset(sender.applications) if sender else frozenset(),
            facilities=frozenset(sender.facilities) if sender else frozenset(),
        ),
        rules=profile.rules,
        charset=profile.v2.charset or None,
        zone=profile.zone,
        leaves_out=profile.fhir.updates.leave_out_unchanged and profile.fhir.delivery != "message",
        authority=Authority(profile.authority.default, profile.authority.fields),
        sends_as=receiver.application if receiver else "",
        stale=profile.authority.stale,
        strict=profile.v2.conformance == "strict",
        models=profile.fhir.conformance == "models",
        on_unreadable=profile.v2.unreadable,
        answers=profile.v2.acknowledgment,
        reused=profile.v2.reused_control_id,
        numbers=profile.v2.sequence_numbers,
        batch_answers=profile.v2.batch_acknowledgment,
        asks=sender.answers.accept if sender else "NE",
        frame_bytes=profile.limits.frame_bytes,
        body_bytes=profile.limits.body_bytes,
        shape=Shape(profile.limits.segments, profile.limits.fields, profile.limits.repetitions),
        waiting=profile.limits.waiting,
        quota=Quota(
            profile.limits.connections,
            profile.limits.in_hand,
            profile.limits.messages_per_second,
            profile.limits.burst,
        ),
        lane=profile.delivery.lane,
        base=profile.fhir.base or NO_BASE,
        identity=Identity.of(profile),
        sends_charset=receiver.charset if receiver else "UNICODE UTF-8",
        authorities=profile.mapping.authorities,
        facts={"sha256": profile.sha256},
    )


def pauses_of(profile: Profile) -> Pauses:
    """How long is waited between the attempts of one message."""
    return Pauses(profile.retry.first_seconds, profile.retry.factor, profile.retry.most_seconds)


def rules_of(profile: Profile, direction: str) -> Rules:
    """How a link delivers in one direction."""
    said, windows = profile.delivery, getattr(profile.delivery.windows, direction)
    return Rules(
        said.lane,
        said.parallel,
        said.on_refusal == "stop",
        said.breaker_failures,
        lambda at: open_at(windows, at, profile.zone),
    )
