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


AUTHORIZATION = """
[authorization]
issuer = "https://connector.example:8443"
keys = "authorization.keys.json"

[[authorization.clients]]
id = "lab"
jwks = "lab.jwks.json"
scopes = ["system/Observation.cu", "operator:read"]
audience = "https://connector.example/fhir"
"""


def test_there_is_no_token_endpoint_unless_it_is_said_for_whom(tmp_path: Path) -> None:
    assert _load(tmp_path).settings.authorization is None
    said = _load(tmp_path, TEXT + AUTHORIZATION).settings.authorization
    assert said is not None
    assert said.token_url == "https://connector.example:8443/oauth/token"
    assert (said.token_seconds, said.clients[0].method) == (300, "private_key_jwt")
    assert said.clients[0].jwks == tmp_path / "lab.jwks.json"


_ANOTHER = (
    '[[authorization.clients]]\nid = "lab"\nsubjects = ["CN=x"]\nscopes = ["operator:act"]\naudience = "x"\n'
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('jwks = "lab.jwks.json"\n', "", "nothing says how this client proves who it is"),
        ("[[auth", "token_seconds = 301\n[[auth", "out of range"),
        ("[[auth", "token_seconds = 0\n[[auth", "out of range"),
        (":8443", ":8443/path", "https://host:port, no path"),
        ("https://connector.example:", "http://connector.example:", "https://host:port"),
        ('"operator:read"', '"openid"', "a SMART system scope"),
        ('"operator:read"', '"patient/Patient.c"', "a SMART system scope"),
        ('["system/Observation.cu", "operator:read"]', "[]", "name at least one"),
        ("system/Observation.cu", "system/Observations.cu", "no resource type"),
        ("system/Observation.cu", "system/Observation.cu?nonsense=1", "connector.toml:29"),
        ('id = "lab"', 'id = "l b"', "visible ASCII"),
        ('jwks = "lab', 'jwks_url = "http://lab.example/keys"\n#', "only https"),
        ('jwks = "lab', 'jwks_url = "https://lab.example/keys"\njwks = "lab', "leave one out"),
        ('jwks = "lab', 'certificates = ["ab"]\njwks = "lab', "64 lowercase hex digits"),
        ('jwks = "lab', 'names = ["lab.example"]\njwks = "lab', "of the form that is needed"),
        ('audience = "https://connector.example/fhir"\n', "", "audience is missing"),
        (
            'audience = "https://connector.example/fhir"\n',
            f'audience = "x"\n{_ANOTHER}',
            "another client has this id",
        ),
    ],
)
def test_a_client_that_is_not_fully_said_is_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert told in _refused(tmp_path, TEXT + AUTHORIZATION.replace(old, new, 1))


def test_who_takes_tokens_of_our_own_issuer_needs_one(tmp_path: Path) -> None:
    profile = DEMO.read_text().replace('issuer = "https://issuer.demo.invalid"', 'issuer = "self"')
    profile = profile.replace('jwks = "../../issuer.jwks.json"\n', "")
    operators = OPERATORS.replace("https://issuer.example", "self").replace('jwks = "issuer.jwks.json"\n', "")
    said = _refused(tmp_path, TEXT + operators, demo=profile)
    assert "connector.toml:4: the profile demo takes tokens of our own issuer" in said
    assert "connector.toml:26: this takes tokens of our own issuer" in said
    assert "add [authorization]" in said
    assert _load(tmp_path, TEXT + operators + AUTHORIZATION, demo=profile).settings.authorization


@pytest.mark.parametrize("issuer", ["self", "https://issuer.example"])
def test_operators_have_one_place_of_keys(tmp_path: Path, issuer: str) -> None:
    text = OPERATORS.replace("https://issuer.example", issuer)
    text = text if issuer == "self" else text.replace('jwks = "issuer.jwks.json"\n', "")
    assert "keys come from nowhere, or from two places" in _refused(tmp_path, TEXT + text + AUTHORIZATION)


def test_our_own_issuer_needs_no_keys_in_a_profile(tmp_path: Path) -> None:
    profile = DEMO.read_text().replace('issuer = "https://issuer.demo.invalid"', 'issuer = "self"')
    assert "come from two places" in _refused(tmp_path, TEXT + AUTHORIZATION, demo=profile)
