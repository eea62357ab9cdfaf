"""``compliance/limits.md``: each limit with its default, what becomes of what passes it, and its proof.

``python -m tests.exposure.limits_page`` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from connector.limits import PROFILE, SETTINGS, Limit
from connector.profile.schema import schema, schema_of
from connector.settings import Settings

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "compliance" / "limits.md"
_MLLP: Final = "tests/edges/test_mllp_server.py::"
_TLS: Final = "tests/edges/test_tls_acceptor.py::"
_WEB: Final = "tests/edges/test_http_exposure.py::"
_BODY: Final = "tests/edges/test_http_limits.py::"
_OUT: Final = "tests/edges/test_http_phases.py::"
_KEEP: Final = "tests/pipeline/test_keeping.py::"
_TOKEN: Final = "tests/edges/test_authorization_refusals.py::"
_FEED: Final = "tests/pipeline/test_feeding.py::"
_SYSLOG: Final = "tests/edges/test_syslog_repository.py::"
_WITNESS: Final = "tests/wiring/test_cosigning.py::"
_STAMP: Final = "tests/wiring/test_stamping.py::"
_QUOTA: Final = "tests/pipeline/test_quotas.py::"

PROOFS: Final = {
    "mllp.max_connections": _MLLP + "test_more_connections_than_the_limit_are_refused",
    "mllp.handshake_seconds": _TLS + "test_fifty_silent_peers_do_not_delay_a_good_one",
    "mllp.idle_seconds": _MLLP + "test_an_idle_peer_is_closed",
    "mllp.frame_seconds": _MLLP + "test_a_frame_that_drips_is_cut_however_often_a_byte_comes",
    "mllp.write_seconds": _MLLP + "test_a_peer_that_does_not_read_its_answers_is_cut_and_memory_stays_flat",
    "mllp.frame_bytes": _MLLP + "test_an_oversize_frame_can_be_refused_by_its_own_control_id",
    "mllp.held_bytes": _MLLP + "test_unfinished_frames_of_all_connections_together_are_limited",
    "https.max_connections": "tests/edges/test_tls_http_server.py::"
    "test_more_connections_than_the_limit_are_refused",
    "https.handshake_seconds": _TLS + "test_one_byte_and_silence_is_a_handshake_timeout_too",
    "https.idle_seconds": "tests/edges/test_tls_http_server.py::test_an_idle_connection_is_closed",
    "https.head_seconds": _WEB + "test_a_head_that_drips_is_408_however_often_a_byte_comes",
    "https.head_bytes": _WEB + "test_a_head_of_too_many_bytes_is_431",
    "https.header_fields": _WEB + "test_too_many_header_fields_are_431",
    "https.url_bytes": _WEB + "test_an_address_that_is_too_long_is_414",
    "https.body_seconds": _BODY + "test_a_body_that_does_not_end_is_408",
    "https.body_bytes": _BODY + "test_a_body_that_grows_too_large_is_refused_while_it_comes",
    "https.in_hand": "tests/edges/test_http_api.py::test_more_than_the_limit_in_hand_is_503",
    "https.nesting": _WEB + "test_nesting_over_the_limit_is_refused",
    "https.bundle_entries": _WEB + "test_more_entries_than_the_limit_are_refused",
    "authorization.client_requests": _TOKEN
    + "test_a_client_cannot_ask_without_end_and_others_do_not_wait_for_it",
    "authorization.address_requests": _TOKEN
    + "test_an_address_that_floods_is_refused_and_does_not_fill_the_audit_log",
    "authorization.body_bytes": _TOKEN + "test_what_is_no_form_is_refused",
    "authorization.body_seconds": _TOKEN + "test_a_request_that_does_not_end_is_refused",
    "login.idle_minutes": "tests/edges/test_login.py::test_a_session_ends_when_it_does_nothing",
    "login.hours": "tests/edges/test_login.py::test_a_session_ends_after_its_longest_time_however_busy",
    "login.sessions": "tests/edges/test_login.py::test_no_more_people_than_may_be_are_logged_in_at_once",
    "break_glass.minutes": "tests/test_cli_emergency.py::test_it_lasts_no_longer_than_the_settings_say",
    "audit.refuse_unsealed_seconds": "tests/wiring/test_sealing.py::"
    "test_nothing_is_taken_in_while_the_log_cannot_be_sealed_for_too_long",
    "audit.feed.syslog.per_second": _FEED + "test_it_keeps_to_its_rate",
    "audit.feed.syslog.window": _FEED + "test_no_more_than_a_window_is_not_known_to_have_come",
    "audit.feed.syslog.message_bytes": _SYSLOG + "test_a_message_that_is_too_long_is_not_sent",
    "audit.feed.syslog.connect_seconds": _SYSLOG + "test_one_that_never_shakes_hands_is_given_up",
    "audit.feed.syslog.write_seconds": _SYSLOG
    + "test_one_that_never_reads_is_given_up_and_has_confirmed_nothing",
    "audit.feed.syslog.goodbye_seconds": _SYSLOG
    + "test_one_that_never_reads_is_given_up_and_has_confirmed_nothing",
    "audit.feed.fhir.per_second": _FEED + "test_it_keeps_to_its_rate",
    "audit.feed.fhir.connect_seconds": _OUT + "test_connecting_has_its_time",
    "audit.feed.fhir.write_seconds": _OUT + "test_sending_has_its_time",
    "audit.feed.fhir.answer_seconds": _OUT
    + "test_waiting_for_the_answer_has_its_time_however_long_sending_took",
    "audit.feed.fhir.answer_bytes": _OUT + "test_a_long_answer_is_given_up_at_the_limit",
    "audit.witness.answer_seconds": _WITNESS + "test_a_witness_that_says_nothing_is_given_up",
    "audit.witness.silent_after_seconds": _WITNESS + "test_silence_is_an_alarm_and_its_end_is_told",
    "audit.stamp.answer_seconds": _STAMP + "test_an_authority_that_says_nothing_is_given_up",
    "audit.stamp.silent_after_seconds": _STAMP + "test_where_there_is_none_it_is_told_and_asked_for_again",
    "limits.frame_bytes": "tests/pipeline/test_receive.py::"
    "test_the_limits_of_a_link_hold_beside_those_of_the_service",
    "limits.body_bytes": "tests/pipeline/test_submit.py::test_the_body_limit_of_the_link_holds",
    "limits.segments": _KEEP + "test_more_segments_than_the_profile_allows_are_refused",
    "limits.fields": _KEEP + "test_more_fields_or_repetitions_than_the_profile_allows_are_refused",
    "limits.repetitions": _KEEP + "test_more_fields_or_repetitions_than_the_profile_allows_are_refused",
    "limits.waiting": _KEEP + "test_what_is_put_off_for_too_much_waiting_is_taken_after_a_delivery",
    "limits.connections": _QUOTA + "test_a_connection_over_the_limit_is_not_let_in_and_audited",
    "limits.in_hand": _QUOTA + "test_frames_over_the_limit_wait_for_their_turn",
    "limits.messages_per_second": _QUOTA + "test_a_burst_comes_at_once_and_then_the_rate_holds",
    "limits.burst": _QUOTA + "test_a_burst_comes_at_once_and_then_the_rate_holds",
    "limits.requests_per_second": _WEB
    + "test_requests_over_the_rate_of_a_partner_are_429_and_come_again_later",
    "limits.requests_burst": _WEB + "test_requests_over_the_rate_of_a_partner_are_429_and_come_again_later",
    "v2.to.acknowledgment_bytes": "tests/faults/test_mllp_partner_faults.py::"
    "test_each_fault_of_a_partner_ends_in_its_state",
    "v2.to.acknowledgment_seconds": "tests/edges/test_mllp_client.py::"
    "test_a_silent_partner_is_unreachable_and_its_late_answer_meets_no_other_message",
    "v2.to.connect_seconds": "tests/edges/test_mllp_client.py::"
    "test_a_partner_that_never_shakes_hands_is_unreachable_in_time",
    "v2.to.write_seconds": "tests/faults/test_mllp_partner_faults.py::"
    "test_each_fault_of_a_partner_ends_in_its_state",
    "fhir.answer_bytes": _OUT + "test_a_long_answer_is_given_up_at_the_limit",
    "fhir.connect_seconds": _OUT + "test_connecting_has_its_time",
    "fhir.tls_seconds": _OUT + "test_the_handshake_has_its_time_and_leaves_nothing_open",
    "fhir.write_seconds": _OUT + "test_sending_has_its_time",
    "fhir.answer_seconds": _OUT + "test_waiting_for_the_answer_has_its_time_however_long_sending_took",
    "fhir.body_seconds": _OUT + "test_reading_has_its_time_however_much_comes",
}
_HEAD: Final = """\
# Limits

Everything that comes in is bounded. Each bound is a key with a default, none can be left out, and each
has a test that shows what becomes of what passes it. The table is made of the models and of
`connector/limits.py` (`python -m tests.exposure.limits_page`), and a test holds both: a key with a
number that is no limit has to say so. Limits of a profile hold beside those of the service; the smaller
one counts.

What is not there needs no limit: nothing packed is unpacked (a content encoding is refused, 415, in both
directions), XML is refused (415), and a v2 message has no more levels than the standard gives it.

Regular expressions are none of a profile's: its verbs are closed (drop, default, constant, codes,
authorities, move, add), and no value of it is ever used as a pattern. So none has to run on an engine
that bounds them; `tests/exposure/test_patterns.py` holds that.
"""


def rendered() -> str:
    """The page."""
    tables = (
        (SETTINGS, schema_of(Settings), "Of the service"),
        (PROFILE, schema(), "Of a partner's profile"),
    )
    return "\n".join([_HEAD, *(line for table in tables for line in _table(*table))])


def _table(limits: Sequence[Limit], root: dict[str, Any], title: str) -> Iterator[str]:
    yield from (
        f"## {title}",
        "",
        "| Key | Bounds | Default | What passes it | Shown by |",
        "| --- " * 5 + "|",
    )
    for limit in limits:
        said = described(root, limit.key)
        _, _, test = PROOFS[limit.key].partition("::")
        default = f"{said['default']:,}".removesuffix(".0") if "default" in said else "required"
        yield f"| `{limit.key}` | {said['description']} | {default} | {passed(limit)} | `{test}` |"
    yield ""


def passed(limit: Limit) -> str:
    """What becomes of what passes a limit."""
    if limit.error is None:
        return limit.otherwise
    answer = limit.error("").answer
    return f"`{limit.error.__name__}`: {answer.acknowledgment} {answer.condition}, HTTP {answer.status}"


def described(root: dict[str, Any], key: str) -> dict[str, Any]:
    """What the schema says of a key. Raises ``KeyError`` where there is none."""
    node = root
    for step in key.split("."):
        node = node["properties"][step]
        node = node.get("items", node)  # of a list of tables, each of them
        if "$ref" in node:
            node = root["$defs"][re.sub(".*/", "", node["$ref"])]
    return node


if __name__ == "__main__":
    PAGE.write_text(rendered())
