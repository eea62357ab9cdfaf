"""Which certificate may speak for whom: judged on chains, and over handshakes in memory."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from connector.edges import certificates as pem
from connector.edges.anchors import Anchors, TrustFiles, load
from connector.edges.tls import Context, TlsFiles, client_context, server_context, whom_we_call
from connector.edges.trust import Party, PeerRefused, Speakers, Trust
from connector.errors import ConfigurationError
from tests.pki import DAY, Authority, write_private

from .tls_room import LAB, NOW, Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    return Town(tmp_path_factory.mktemp("town"))


def leaf_of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> tuple[object, object]:
    """What each side's handshake ended with: a version, or what it raised."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    )
    ended: list[object] = [None, None]
    for _ in range(6):
        for at, one in enumerate(ends):
            if ended[at] is None:
                try:
                    one.do_handshake()
                    ended[at] = one.version()
                except ssl.SSLWantReadError:
                    continue
                except ssl.SSLError as error:
                    ended[at] = getattr(error, "verify_message", None) or error.reason
    return ended[1], ended[0]


def admitted(trust: Trust, *chain: x509.Certificate, version: str = "TLSv1.3") -> set[str] | str:
    """For whom a chain may speak, or why not."""
    try:
        return set(trust.admit(chain, version))
    except PeerRefused as refused:
        return refused.verify_message


# --- whose authority it is ------------------------------------------------------------------------------


def test_a_partner_s_authority_does_not_speak_for_another_partner_with_its_subject(town: Town) -> None:
    trust = town.trust(town.party(town.labs), town.party(town.others, name="other"))
    impostor, _ = town.labs.issue("other")
    chain = x509.load_pem_x509_certificate(impostor), town.labs.certificate
    assert admitted(trust, *chain) == "no profile names this certificate"


def test_a_certificate_of_the_service_s_authority_that_no_profile_names_is_nobody_s_yet(town: Town) -> None:
    trust = Trust(town.anchors(town.ours), [town.party(town.labs)])
    stranger, _ = town.ours.issue("lab")
    assert admitted(trust, x509.load_pem_x509_certificate(stranger), town.ours.certificate) == set()


def test_an_authority_of_the_same_name_is_another_one(town: Town) -> None:
    trust, twin = town.trust(town.party(town.labs)), Authority("Lab CA")
    chain = x509.load_pem_x509_certificate(twin.issue("lab")[0]), twin.certificate
    assert admitted(trust, *chain) == "no authority of ours vouches for it"


def test_an_authority_itself_speaks_for_nobody(town: Town) -> None:
    named = Speakers(certificates=frozenset({pem.fingerprint_of(town.labs.certificate)}))
    trust = town.trust(town.party(town.labs, speakers=named))
    assert admitted(trust, town.labs.certificate) == "no authority of ours vouches for it"


def test_a_chain_that_openssl_ends_at_another_partner_s_anchor_is_followed_to_ours(town: Town) -> None:
    """One partner trusts an intermediate, another its root: the chain ends at what comes first."""
    root, below = Authority("Root"), Authority("Below")
    between = root.intermediate(below)
    leaf = x509.load_pem_x509_certificate(below.issue("lab")[0])
    narrow = Party("narrow", Anchors((between,)), Speakers(subjects=frozenset({"CN=nobody"})))
    wide = Party("wide", Anchors((root.certificate,)), Speakers(subjects=frozenset({LAB})))
    assert admitted(Trust(None, [narrow, wide]), leaf, between) == {"wide"}


# --- who of theirs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speakers", "may"),
    [
        (Speakers(subjects=frozenset({LAB})), True),
        (Speakers(subjects=frozenset({"CN=labs"})), False),
        (Speakers(names=frozenset({"DNS:lab.example"})), True),
        (Speakers(names=frozenset({"DNS:example"})), False),
        (Speakers(subjects=frozenset({LAB}), issuers=frozenset({"CN=Lab CA"})), True),
        (Speakers(subjects=frozenset({LAB}), issuers=frozenset({"CN=Other CA"})), False),
        (Speakers(anybody=True), True),
        (Speakers(names=frozenset({"DNS:other.example"}), anybody=True), False),
        (Speakers(), False),
    ],
)
def test_a_partner_is_known_by_what_its_profile_names(town: Town, speakers: Speakers, may: bool) -> None:
    leaf = x509.load_pem_x509_certificate(town.labs.issue("lab", sans=["lab.example"])[0])
    trust = town.trust(town.party(town.labs, speakers=speakers))
    said = admitted(trust, leaf, town.labs.certificate)
    assert said == ({"lab"} if may else "no profile names this certificate")


def test_an_issuer_can_be_named_by_its_fingerprint(town: Town) -> None:
    mark = pem.fingerprint_of(town.labs.certificate)
    speakers = Speakers(subjects=frozenset({LAB}), issuers=frozenset({mark}))
    trust = town.trust(town.party(town.labs, speakers=speakers))
    assert admitted(trust, leaf_of(town.lab), town.labs.certificate) == {"lab"}


def test_a_fingerprint_counts_more_than_a_subject(town: Town) -> None:
    leaf, anchors = leaf_of(town.lab), town.anchors(town.labs)
    by_mark = Party("one", anchors, Speakers(certificates=frozenset({pem.fingerprint_of(leaf)})), alone=True)
    by_name = Party("two", anchors, Speakers(subjects=frozenset({LAB})), alone=True)
    assert admitted(Trust(None, [by_name, by_mark]), leaf, town.labs.certificate) == {"one"}


def test_whom_two_profiles_claim_alike_speaks_for_neither(town: Town) -> None:
    anchors, speakers = town.anchors(town.labs), Speakers(subjects=frozenset({LAB}))
    trust = Trust(None, [Party(name, anchors, speakers, alone=True) for name in ("one", "two")])
    said = admitted(trust, leaf_of(town.lab), town.labs.certificate)
    assert said == "several profiles claim this certificate"


def test_who_was_not_admitted_speaks_for_nobody(town: Town) -> None:
    trust = town.trust(town.party(town.labs))
    mark = pem.fingerprint_of(leaf_of(town.lab))
    assert trust.parties_of(mark) == frozenset()
    trust.admit((leaf_of(town.lab), town.labs.certificate), "TLSv1.3")
    assert trust.parties_of(mark) == {"lab"}


# --- revocation -----------------------------------------------------------------------------------------


def test_revoked_in_one_partner_s_list_is_revoked_for_all(town: Town) -> None:
    strict = town.party(town.labs, town.revoking(town.lab), name="strict")
    trust = Trust(town.anchors(town.labs), [strict, town.party(town.labs)])
    assert admitted(trust, leaf_of(town.lab), town.labs.certificate) == "certificate revoked"


def test_a_stale_list_keeps_a_partner_out_although_the_service_would_take_it(town: Town) -> None:
    trust = Trust(town.anchors(town.labs), [town.party(town.labs, town.stale())])
    assert admitted(trust, leaf_of(town.lab), town.labs.certificate) == "CRL has expired"


def test_a_stale_list_cuts_nobody_who_is_in_but_a_list_that_names_him_does(town: Town) -> None:
    chain = leaf_of(town.lab), town.labs.certificate
    stale = town.trust(town.party(town.labs, town.stale()))
    assert stale.admit(chain, "TLSv1.3", open_already=True) == {"lab"}
    revoked = town.trust(town.party(town.labs, town.revoking(town.lab)))
    with pytest.raises(PeerRefused, match="revoked"):
        revoked.admit(chain, "TLSv1.3", open_already=True)


def test_a_list_of_another_key_of_the_same_name_does_not_count(town: Town) -> None:
    twin = Authority("Lab CA")
    trust = town.trust(town.party(town.labs, twin.crl()))
    said = admitted(trust, leaf_of(town.lab), town.labs.certificate)
    assert said == "unable to get certificate CRL"


def test_required_lists_are_asked_for_at_the_start(town: Town, tmp_path: Path) -> None:
    both, lists = tmp_path / "both.pem", tmp_path / "lists.pem"
    both.write_bytes(town.labs.pem + town.others.pem)
    with pytest.raises(ConfigurationError, match="none is given"):
        load(TrustFiles(both, required=True))
    lists.write_bytes(town.labs.crl())
    with pytest.raises(ConfigurationError, match="an authority has no revocation list"):
        load(TrustFiles(both, lists, required=True))
    lists.write_bytes(town.labs.crl() + town.others.crl())
    assert load(TrustFiles(both, lists, required=True)).listed


@pytest.mark.parametrize(
    "odd",
    [
        x509.DeltaCRLIndicator(1),
        x509.IssuingDistributionPoint(None, None, False, False, None, True, False),
    ],
)
def test_a_list_that_says_less_than_it_seems_is_refused(
    town: Town, tmp_path: Path, odd: x509.ExtensionType
) -> None:
    path = tmp_path / "crl.pem"
    path.write_bytes(town.labs.crl(extra=[odd]))
    with pytest.raises(ConfigurationError, match="delta, indirect or partial"):
        pem.revocation_lists(path)


def test_a_file_that_is_just_being_written_is_refused(town: Town, tmp_path: Path) -> None:
    path, crl = tmp_path / "half.pem", town.labs.crl()
    path.write_bytes(crl + crl[: len(crl) // 2])
    with pytest.raises(ConfigurationError, match="breaks off"):
        pem.revocation_lists(path)
    path.write_bytes(town.labs.pem + town.others.pem[:100])
    with pytest.raises(ConfigurationError, match=r"breaks off|no PEM"):
        pem.authorities(path)


# --- pinned certificates --------------------------------------------------------------------------------


def pins(town: Town, *pinned: bytes) -> Anchors:
    return Anchors((), tuple(x509.load_pem_x509_certificate(one) for one in pinned))


@pytest.mark.parametrize("authority", ["itself", "unknown"])
def test_a_pinned_certificate_comes_in_whoever_issued_it(town: Town, authority: str) -> None:
    """Self-signed as ``openssl req -x509`` makes it, which is an authority too; or of an unknown one."""
    alone, strange = Authority("device", talks=True), Authority("Unknown CA")
    certificate, key = (alone.pem, alone.key_pem) if authority == "itself" else strange.issue("device")
    party = town.party(town.labs, anchors=pins(town, certificate), speakers=Speakers())
    server, client = town.context(party), town.client(town.shown("device", certificate, key))
    assert shake(server, client) == ("TLSv1.3", "TLSv1.3")


def test_what_a_pinned_certificate_issues_does_not_come_in(town: Town) -> None:
    alone = Authority("device", talks=True)
    party = town.party(town.labs, anchors=pins(town, alone.pem), speakers=Speakers(anybody=True))
    child = town.shown("child", *alone.issue("device"))
    assert shake(town.context(party), town.client(child))[0] == "no authority of ours vouches for it"


def test_another_certificate_of_a_pinned_one_s_authority_does_not_come_in(town: Town) -> None:
    strange = Authority("Unknown CA")
    party = town.party(town.labs, anchors=pins(town, strange.issue("device")[0]), speakers=Speakers())
    other = town.shown("other-device", *strange.issue("device"))
    assert shake(town.context(party), town.client(other))[0] == "unable to get local issuer certificate"


def test_a_pinned_certificate_that_has_ended_does_not_come_in(town: Town) -> None:
    certificate, key = town.labs.issue("device", not_before=NOW - 9 * DAY, days=2)
    party = town.party(town.labs, anchors=pins(town, certificate), speakers=Speakers())
    ended = town.client(town.shown("ended", certificate, key))
    assert shake(town.context(party), ended)[0] == "certificate has expired"


# --- whom we call ---------------------------------------------------------------------------------------


def listener(town: Town, certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(town.shown("listener", certificate, key))
    return context


def calling(town: Town, held: Anchors, *certificates: str) -> Context:
    return client_context(town.files, whom_we_call(held, certificates=frozenset(certificates)))


def test_we_talk_to_the_host_of_the_right_name_alone(town: Town) -> None:
    server = listener(town, *town.labs.issue("lab", sans=["lab.example"]))
    client = calling(town, town.anchors(town.labs))
    assert shake(server, client, "lab.example")[1] == "TLSv1.3"
    assert "Hostname mismatch" in str(shake(server, client, "other.example")[1])


def test_a_server_of_another_partner_s_authority_is_not_talked_to(town: Town) -> None:
    server = listener(town, *town.others.issue("lab", sans=["lab.example"]))
    said = shake(server, calling(town, town.anchors(town.labs)), "lab.example")[1]
    assert said == "unable to get local issuer certificate"


def test_where_fingerprints_are_given_they_count_and_not_the_host_name(town: Town) -> None:
    certificate, key = town.labs.issue("lab")
    server = listener(town, certificate, key)
    mark = pem.fingerprint_of(x509.load_pem_x509_certificate(certificate))
    held = town.anchors(town.labs)
    assert shake(server, calling(town, held, mark), "any.example")[1] == "TLSv1.3"
    said = shake(server, calling(town, held, f"sha256:{0:064}"), "any.example")[1]
    assert said == "no profile names this certificate"


def test_a_pinned_server_is_known_by_itself(town: Town) -> None:
    alone = Authority("device", talks=True)
    server = listener(town, alone.pem, alone.key_pem)
    assert shake(server, calling(town, pins(town, alone.pem)), "any.example")[1] == "TLSv1.3"
    child = listener(town, *alone.issue("device", sans=["any.example"]))
    said = shake(child, calling(town, pins(town, alone.pem)), "any.example")[1]
    assert said == "no authority of ours vouches for it"


def test_a_server_that_is_revoked_or_whose_list_is_stale_is_not_talked_to(town: Town) -> None:
    certificate, key = town.labs.issue("lab", sans=["lab.example"])
    server = listener(town, certificate, key)
    shown = town.shown("revoked-server", certificate, key)
    for crl, reason in ((town.revoking(shown), "certificate revoked"), (town.stale(), "CRL has expired")):
        assert shake(server, calling(town, town.anchors(town.labs, crl)), "lab.example")[1] == reason


def test_tls_1_3_alone_can_be_asked_of_whom_we_call(town: Town) -> None:
    server = listener(town, *town.labs.issue("lab", sans=["localhost"]))
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    files = replace(town.files, minimum="1.3")
    client = client_context(files, whom_we_call(town.anchors(town.labs), "1.3"))
    assert "ALERT" in str(shake(server, client)[1])


# --- ITI-19's DHE suites --------------------------------------------------------------------------------


def group_of(prime: bytes) -> bytes:
    """PEM of Diffie-Hellman parameters (PKCS #3) with the generator 2."""
    content = b"\x02\x82" + (len(prime) + 1).to_bytes(2) + b"\0" + prime + b"\x02\x01\x02"
    encoded = b"\x30\x82" + len(content).to_bytes(2) + content
    return ssl.DER_cert_to_PEM_cert(encoded).replace("CERTIFICATE", "DH PARAMETERS").encode()


@pytest.fixture(scope="module")
def rsa_files(town: Town) -> TlsFiles:
    """DHE with RSA is what ITI-19 names; the group is RFC 7919's ffdhe2048."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=server")
    certificate = town.ours.sign(name, key.public_key(), sans=["localhost"])
    path, private = town.folder / "rsa.pem", town.folder / "rsa.key"
    path.write_bytes(certificate)
    write_private(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    group = town.folder / "dh.pem"
    group.write_bytes(group_of(FFDHE2048))
    return TlsFiles(path, private, town.own.trust, group=group)


def test_with_a_group_dhe_is_spoken_and_without_one_it_is_not(town: Town, rsa_files: TlsFiles) -> None:
    old = town.client(town.shown("old", *town.ours.issue("old")), ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    assert shake(server_context(rsa_files), old) == ("TLSv1.2", "TLSv1.2")
    assert shake(server_context(replace(rsa_files, group=None)), old)[0] == "NO_SHARED_CIPHER"


def test_a_short_group_is_refused(town: Town, rsa_files: TlsFiles, tmp_path: Path) -> None:
    short = tmp_path / "short.pem"
    short.write_bytes(group_of(b"\x01" + FFDHE2048[:127]))
    with pytest.raises(ConfigurationError, match="Diffie-Hellman"):
        server_context(replace(rsa_files, group=short))


FFDHE2048 = bytes.fromhex(
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B423861285C97FFFFFFFFFFFFFFFF"
)
