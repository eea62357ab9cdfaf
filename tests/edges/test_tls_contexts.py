"""TLS contexts: what they refuse to start with."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.edges.tls import TlsFiles, client_context, good_until, revoked_serials, server_context
from connector.errors import ConfigurationError
from tests.mllp.loopback import tls_files
from tests.pki import DAY, Authority, serial_of, write_private

EMPTY_LIST = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
NOW = datetime.now(UTC)
BOTH = pytest.mark.parametrize("context", [server_context, client_context])
Make = Callable[[TlsFiles], ssl.SSLContext]


@pytest.fixture
def ca() -> Authority:
    return Authority()


@pytest.fixture
def files(ca: Authority, tmp_path: Path) -> TlsFiles:
    return tls_files(ca.write(tmp_path, "server"))


def crl_of(files: TlsFiles) -> Path:
    assert files.crl is not None
    return files.crl


@BOTH
def test_a_context_asks_for_a_certificate(context: Make, files: TlsFiles) -> None:
    made = context(files)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


@BOTH
def test_nothing_is_compressed_renegotiated_or_resumed_by_ticket(context: Make, files: TlsFiles) -> None:
    wanted = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    assert context(files).options & wanted == wanted


@BOTH
def test_below_tls_1_3_only_ecdhe_with_aes_gcm_is_offered(context: Make, files: TlsFiles) -> None:
    suites = [suite["name"] for suite in context(files).get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert suites
    assert all(name.startswith("ECDHE-") and "AES" in name and "GCM" in name for name in suites)


@BOTH
def test_short_keys_are_refused(context: Make, files: TlsFiles) -> None:
    assert context(files).security_level == 2


def test_tls_1_3_alone_can_be_asked_for(files: TlsFiles) -> None:
    context = server_context(replace(files, minimum="1.3"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_the_server_gives_no_tickets(files: TlsFiles) -> None:
    assert server_context(files).num_tickets == 0


def test_the_client_checks_the_host_name_and_trusts_only_its_own_authority(files: TlsFiles) -> None:
    context = client_context(files)
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@BOTH
@pytest.mark.parametrize("missing", ["certificate", "key", "trust", "crl"])
def test_a_missing_file_is_a_configuration_error_that_names_it(
    context: Make, files: TlsFiles, missing: str
) -> None:
    path: Path = getattr(files, missing)
    path.unlink()
    with pytest.raises(ConfigurationError) as raised:
        context(files)
    assert raised.value.location == str(path)


@BOTH
@pytest.mark.parametrize("broken", ["certificate", "key", "trust", "crl"])
@pytest.mark.parametrize("content", [b"", b"nonsense", EMPTY_LIST])
def test_a_file_with_other_content_is_a_configuration_error(
    context: Make, files: TlsFiles, broken: str, content: bytes
) -> None:
    path: Path = getattr(files, broken)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        context(files)


def test_a_trust_anchor_that_is_no_authority_is_refused(files: TlsFiles, ca: Authority) -> None:
    leaf, _ = ca.issue("somebody")
    files.trust.write_bytes(leaf)
    with pytest.raises(ConfigurationError, match="no authority"):
        server_context(replace(files, crl=None))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666])
def test_a_private_key_that_others_may_read_is_refused(files: TlsFiles, mode: int) -> None:
    files.key.chmod(mode)
    with pytest.raises(ConfigurationError, match="others may read"):
        server_context(files)


def test_a_private_key_of_another_certificate_is_refused(files: TlsFiles, ca: Authority) -> None:
    write_private(files.key, ca.issue("other")[1])
    with pytest.raises(ConfigurationError, match="does not belong"):
        server_context(files)


@pytest.mark.parametrize(("start", "days"), [(NOW - 9 * DAY, 3), (NOW + 2 * DAY, 9)])
def test_an_own_certificate_that_is_not_valid_today_is_refused(
    files: TlsFiles, ca: Authority, start: datetime, days: int
) -> None:
    certificate, key = ca.issue("server", sans=["localhost"], days=days, not_before=start)
    files.certificate.write_bytes(certificate)
    write_private(files.key, key)
    with pytest.raises(ConfigurationError, match="not valid today"):
        server_context(files)


@BOTH
def test_a_stale_list_is_refused(context: Make, files: TlsFiles, ca: Authority) -> None:
    crl_of(files).write_bytes(ca.crl(last_update=NOW - 9 * DAY, next_update=NOW - DAY))
    with pytest.raises(ConfigurationError, match="out of date"):
        context(files)


def test_a_list_of_tomorrow_is_refused(files: TlsFiles, ca: Authority) -> None:
    crl_of(files).write_bytes(ca.crl(last_update=NOW + DAY, next_update=NOW + 9 * DAY))
    with pytest.raises(ConfigurationError, match="out of date"):
        server_context(files)


def test_a_list_of_another_authority_is_refused_even_under_the_same_name(files: TlsFiles) -> None:
    crl_of(files).write_bytes(Authority().crl())
    with pytest.raises(ConfigurationError, match="signed"):
        server_context(files)


def test_one_stale_list_among_two_is_refused(files: TlsFiles, ca: Authority) -> None:
    stale = ca.crl(last_update=NOW - 9 * DAY, next_update=NOW - timedelta(seconds=1))
    crl_of(files).write_bytes(ca.crl() + stale)
    with pytest.raises(ConfigurationError, match="out of date"):
        server_context(files)


def test_the_serials_of_the_list_can_be_read_for_a_sweep(files: TlsFiles, ca: Authority) -> None:
    serial = serial_of(ca.issue("gone")[0])
    crl_of(files).write_bytes(ca.crl([serial]))
    assert revoked_serials(files) == {serial}
    assert revoked_serials(replace(files, crl=None)) == frozenset()


def test_the_day_on_which_handshakes_begin_to_fail_is_known(files: TlsFiles, ca: Authority) -> None:
    end = NOW.replace(microsecond=0) + 2 * DAY
    crl_of(files).write_bytes(ca.crl(next_update=end))
    assert good_until(files) == end
    assert good_until(replace(files, crl=None)) > end + 20 * DAY
