"""[audit.feed]: what is not fully and sensibly said is refused, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profile.test_settings import TEXT, _load, _refused

FEEDS = """
[[audit.feed.syslog]]
name = "arr"
host = "arr.example"
window = 100

[[audit.feed.syslog]]
name = "second"
host = "127.0.0.1"
port = 6515
begin = "beginning"
[audit.feed.syslog.tls]
trust = "arr-ca.pem"

[[audit.feed.fhir]]
name = "fhir"
base = "https://arr.example/fhir"
delivery = "batch"
[audit.feed.fhir.token]
url = "https://arr.example/token"
client_id = "connector"
key = "arr.key.json"
"""


def test_nobody_is_fed_who_is_not_named(tmp_path: Path) -> None:
    assert _load(tmp_path).settings.audit.feed.all == ()


def test_feeds_of_both_kinds_load(tmp_path: Path) -> None:
    feed = _load(tmp_path, TEXT + FEEDS).settings.audit.feed
    assert [(one.name, one.begin) for one in feed.all] == [
        ("arr", "now"),
        ("second", "beginning"),
        ("fhir", "now"),
    ]
    assert (feed.syslog[0].port, feed.syslog[0].msgid, feed.syslog[0].facility) == (6514, "IHE+RFC-3881", 10)
    assert feed.syslog[1].tls.trust == tmp_path / "arr-ca.pem"
    assert feed.fhir[0].token is not None
    assert feed.fhir[0].token.key == tmp_path / "arr.key.json"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "second"', 'name = "arr"', "connector.toml:31: another feed has this name"),
        ('name = "fhir"', 'name = "arr"', "connector.toml:39: another feed has this name"),
        ('name = "arr"\n', "", "name is missing"),
        ('name = "arr"', 'name = "Arr 1"', "lowercase letters"),
        ('host = "arr.example"\n', "", "host is missing"),
        ('"arr.example"\n', '"169.254.169.254"\n', "nothing connects to this address"),
        ('"arr.example"\n', '"arr.example"\nport = 0\n', "out of range"),
        ('"arr.example"\n', '"arr.example"\nbase = "https://x"\n', 'there is no key "base" here'),
        ('"arr.example"\n', '"arr.example"\nfacility = 4\n', "none of the known values"),
        ('"arr.example"\n', '"arr.example"\nmsgid = "AUDIT"\n', "none of the known values"),
        ('"arr.example"\n', '"arr.example"\nconfirmation = "none"\n', "none of the known values"),
        ('"arr.example"\n', '"arr.example"\nmessage_bytes = 100\n', "out of range"),
        ("window = 100", "window = 0", "out of range"),
        ("window = 100", "window = true", "write a whole number"),
        ("window = 100", "again = -1", "out of range"),
        ("window = 100", "first_seconds = 100.0\nmost_seconds = 1.0", "connector.toml:29: the longest pause"),
        ('"beginning"', '"yesterday"', "none of the known values"),
        ('trust = "arr-ca.pem"', 'crl = "arr.crl"', "revocation lists need their authorities"),
        ("https://arr.example/fhir", "http://arr.example/fhir", "only https"),
        ("https://arr.example/fhir", "https://arr.example/fhir?x=1", "connector.toml:40"),
        ('base = "https://arr.example/fhir"\n', "", "base is missing"),
        ('"batch"', '"transaction"', "none of the known values"),
        ("https://arr.example/token", "http://arr.example/token", "only https"),
        ('key = "arr.key.json"', "", "key is missing"),
    ],
)
def test_nonsense_is_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert told in _refused(tmp_path, TEXT + FEEDS.replace(old, new, 1))
