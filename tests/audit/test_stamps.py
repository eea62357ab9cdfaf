"""Time-stamps of a real authority (OpenSSL): what is believed, and what is not."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path
from subprocess import CalledProcessError
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import stamps
from audit.stamps import StampRefused
from tests.audit.signers import HEAD
from tests.audit.tsa import Stamps
from tests.pki import Authority

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="OpenSSL makes the time-stamps")

TEXT = HEAD.text
# not signed, of the CMS around it: the version of its signer, which of its digests, the name of its algorithm
UNSIGNED = 16


class Stamped(NamedTuple):
    asked: stamps.Asked
    answer: bytes
    trust: list[x509.Certificate]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Stamped:
    return stamped(Stamps(tmp_path_factory.mktemp("tsa")))


def stamped(authority: Stamps) -> Stamped:
    asked = stamps.ask(TEXT)
    return Stamped(asked, authority.answer(asked.query), stamps.authorities(authority.trust.read_bytes()))


def test_a_stamp_says_when_the_tree_was_there(made: Stamped) -> None:
    stamp = stamps.accept(made.asked, made.answer, made.trust)
    assert stamps.verify(made.answer, TEXT, made.trust) == stamp
    assert abs(stamp.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert stamp.within == 1.5


def test_openssl_believes_it_too(made: Stamped, tmp_path: Path) -> None:
    for name, content in (("text", TEXT.encode()), ("stamp", made.answer), ("trust", _pem(made.trust))):
        (tmp_path / name).write_bytes(content)
    command = "openssl ts -verify -data text -in stamp -CAfile trust"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "Verification: OK\n"


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def test_the_stamp_of_another_tree_is_refused(made: Stamped) -> None:
    other = HEAD._replace(size=9).text
    with pytest.raises(StampRefused, match="Mismatch between messages"):
        stamps.verify(made.answer, other, made.trust)


def test_the_answer_to_another_request_is_refused(made: Stamped) -> None:
    with pytest.raises(StampRefused, match="Nonce"):
        stamps.accept(stamps.ask(TEXT), made.answer, made.trust)


def test_a_stamp_under_another_authority_is_refused(made: Stamped) -> None:
    for trust in ([Authority("Stamps CA").certificate], []):
        with pytest.raises(StampRefused):
            stamps.verify(made.answer, TEXT, trust)


def test_a_certificate_that_is_not_for_time_stamps_makes_none(tmp_path: Path) -> None:
    other = Stamps(tmp_path / "other", purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(CalledProcessError):  # OpenSSL itself will not sign with it
        other.answer(stamps.ask(TEXT).query)


def test_a_certificate_that_was_over_when_it_stamped_is_refused(tmp_path: Path) -> None:
    late = stamped(Stamps(tmp_path / "late", days=-10))
    with pytest.raises(StampRefused, match="certificate verify error"):
        stamps.verify(late.answer, TEXT, late.trust)


@pytest.mark.parametrize("answer", [b"", b"\x30\x03\x02\x01\x02", b"\x30\x80", b"x" * (stamps.LONGEST + 1)])
def test_what_is_no_stamp_is_refused(answer: bytes, made: Stamped) -> None:
    with pytest.raises(StampRefused):
        stamps.verify(answer, TEXT, made.trust)


def test_a_rejection_is_no_stamp(tmp_path: Path) -> None:
    authority = Stamps(tmp_path / "tsa")
    asked = stamps.ask(TEXT)
    sha256 = bytes.fromhex("608648016503040201")
    rejection = authority.answer(asked.query.replace(sha256, sha256[:-1] + b"\x09"))
    with pytest.raises(StampRefused):
        stamps.accept(asked, rejection, stamps.authorities(authority.trust.read_bytes()))


def test_every_byte_of_a_stamp_that_says_something_is_signed(made: Stamped) -> None:
    """Each is turned over in turn; what still holds says the very same."""
    stamp, holds = stamps.verify(made.answer, TEXT, made.trust), 0
    for at in range(len(made.answer)):
        turned = bytearray(made.answer)
        turned[at] ^= 1
        try:
            assert stamps.verify(bytes(turned), TEXT, made.trust) == stamp
            holds += 1
        except StampRefused:
            pass
    assert holds <= UNSIGNED


def test_a_file_without_certificates_vouches_for_nobody() -> None:
    with pytest.raises(StampRefused):
        stamps.authorities(b"nothing")
