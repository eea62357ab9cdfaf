from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import ConfigurationError
from connector.settings import Configuration, load
from tests.profile.planted import DEMO

TEXT = """\
store = "store.db"
kek = "kek.key"
profiles = [
  "profiles/demo/profile.toml",
]
drain_seconds = 5

[tls]
certificate = "connector.pem"
key = "connector.key"
trust = "ca.pem"
crl = "crl.pem"

[mllp]
port = 2575
max_connections = 50

[https]
host = "::1"
port = 8443

[log]
level = "debug"
"""


def _load(folder: Path, text: str = TEXT, **profiles: str) -> Configuration:
    for name, profile in {"demo": DEMO.read_text(), **profiles}.items():
        path = folder / "profiles" / name / "profile.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(profile)
    (folder / "connector.toml").write_text(text)
    return load(folder / "connector.toml")


def _refused(folder: Path, text: str = TEXT, **profiles: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        _load(folder, text, **profiles)
    return str(raised.value).replace(f"{folder}/", "")


def _with(*names: str) -> str:
    listed = "".join(f'  "profiles/{name}/profile.toml",\n' for name in names)
    return TEXT.replace('  "profiles/demo/profile.toml",\n', listed)


def test_the_settings_and_their_profiles_load_together(tmp_path: Path) -> None:
    settings, profiles = _load(tmp_path)
    assert [profile.name for profile in profiles] == ["demo"]
    assert settings.path == tmp_path / "connector.toml"
    assert (settings.mllp.port, settings.mllp.max_connections, settings.log.level) == (2575, 50, "debug")


def test_paths_start_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    settings, (profile,) = _load(tmp_path)
    assert settings.kek == tmp_path / "kek.key"
    assert settings.store_url == f"sqlite:///{tmp_path}/store.db"
    assert settings.tls.crl == tmp_path / "crl.pem"
    assert profile.path == tmp_path / "profiles" / "demo" / "profile.toml"


def test_a_listener_may_have_certificates_of_its_own(tmp_path: Path) -> None:
    own = '[mllp.tls]\ncertificate = "m.pem"\nkey = "m.key"\ntrust = "m-ca.pem"\nminimum = "1.3"\n'
    settings, _ = _load(tmp_path, TEXT + own)
    assert settings.mllp_tls.trust == tmp_path / "m-ca.pem"
    assert settings.mllp_tls.crl is None
    assert settings.https_tls is settings.tls


def test_the_address_of_the_api_is_made_of_host_and_port_or_given(tmp_path: Path) -> None:
    assert _load(tmp_path).settings.https.url == "https://[::1]:8443/fhir"
    given = TEXT.replace("port = 8443", 'base = "https://fhir.hospital.example/r4/"')
    assert _load(tmp_path, given).settings.https.url == "https://fhir.hospital.example/r4"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('store = "store.db"\n', "", "connector.toml:1: store is missing"),
        ('kek = "kek.key"', "kek = 1", "connector.toml:2: this is not a path"),
        ("drain_seconds = 5", "drain_secs = 5", 'connector.toml:6: there is no key "drain_secs" here'),
        ('trust = "ca.pem"\n', "", "connector.toml:8: trust is missing"),
        ("port = 2575", "port = 0", "connector.toml:15: this number is out of range"),
        ("port = 8443", 'base = "http://localhost/fhir"', "connector.toml:20: only https"),
        ('level = "debug"', 'level = "chatty"', "connector.toml:23: this is none of the known values"),
        ("[log]", "[log", "connector.toml:22: this is no TOML"),
    ],
)
def test_a_fault_is_told_at_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert said in _refused(tmp_path, TEXT.replace(old, new))


def test_no_profile_at_all_is_a_fault(tmp_path: Path) -> None:
    text = TEXT.replace('  "profiles/demo/profile.toml",\n', "")
    assert _refused(tmp_path, text).startswith("connector.toml:3: ")


def test_a_profile_that_cannot_be_read_is_told_with_its_own_line(tmp_path: Path) -> None:
    said = _refused(tmp_path, _with("demo", "lab", "none"), lab='name = "lab"\nx = 1\n')
    assert 'profiles/lab/profile.toml:2: there is no key "x" here' in said
    assert "profiles/none/profile.toml:1: this file cannot be read" in said
    assert "2 faults" in said


def test_a_profile_that_carries_nothing_is_refused(tmp_path: Path) -> None:
    said = _refused(tmp_path, _with("demo", "idle"), idle='name = "idle"\n')
    assert said.startswith("connector.toml:5: the profile idle carries nothing")


def test_two_partners_never_share_a_certificate_a_client_or_a_name(tmp_path: Path) -> None:
    said = _refused(tmp_path, _with("demo", "copy"), copy=DEMO.read_text())
    for what in ("name", "certificate in [v2.from]", "client in [fhir.from]"):
        assert f"connector.toml:5: demo and demo have the same {what}" in said


def test_two_partners_never_share_a_subject(tmp_path: Path) -> None:
    text = 'name = "{}"\n[v2.from]\nsubjects = ["CN=his"]\n[fhir]\nbase = "https://h.example/fhir"\n'
    said = _refused(tmp_path, _with("a", "b"), a=text.format("a"), b=text.format("b"))
    assert said == "connector.toml:5: a and b have the same subject in [v2.from] (give each its own)"


def test_two_partners_with_their_own_certificates_load(tmp_path: Path) -> None:
    other = DEMO.read_text().replace('name = "demo"', 'name = "lab"').replace("0001", "0009")
    other = other.replace("\nfhir = [", "\nlab-fhir = [").replace("\nanalyst = [", "\nlab-analyst = [")
    profiles = _load(tmp_path, _with("demo", "lab"), lab=other).profiles
    assert [profile.name for profile in profiles] == ["demo", "lab"]


OPERATORS = """
[operators]
issuer = "https://issuer.example"
jwks = "issuer.jwks.json"
audience = "https://connector.example/operator"
clients = { console = ["operator:read", "operator:act"] }
"""


def test_nobody_operates_over_https_unless_it_is_said_who(tmp_path: Path) -> None:
    assert _load(tmp_path).settings.operators is None
    said = _load(tmp_path, TEXT + OPERATORS).settings.operators
    assert said is not None
    assert said.clients["console"] == ("operator:read", "operator:act")
    assert said.certificate_bound
    assert said.jwks == tmp_path / "issuer.jwks.json"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('["operator:read", "operator:act"]', "[]", "this client may do nothing"),
        ('console = ["operator:read", "operator:act"]', "", "no client may operate"),
        ("operator:act", "operator:all", "operator:read"),
        ("operator:act", "system/*.cruds", "operator:read"),
        ('audience = "https://connector.example/operator"', "", "audience"),
        ('issuer = "https://issuer.example"', 'issuer = ""', "not empty"),
    ],
)
def test_who_may_operate_is_said_strictly(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in _refused(tmp_path, TEXT + OPERATORS.replace(old, new))
