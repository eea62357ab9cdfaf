"""AWS KMS as the keeper of the key-encryption key: a recorded contract, held against botocore's own model."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from connector.edges.keys_aws import AwsKeyProvider
from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store.keys import Wrapped

KEY = bytearray(b"k" * 32)
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUND = {"connector": hashlib.sha256(b"here").hexdigest()}
WRAPPED = Wrapped("aws", ARN, b"ciphertext")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> tuple[AwsKeyProvider, Stubber]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client(
        "kms", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    stub = Stubber(client)
    stub.activate()
    return AwsKeyProvider("alias/connector", "eu-central-1", client=client), stub


def test_a_key_is_wrapped_and_unwrapped_under_the_digest_of_its_context(said: Any) -> None:
    keys, stub = said
    asked = {"KeyId": "alias/connector", "Plaintext": bytes(KEY), "EncryptionContext": BOUND}
    stub.add_response("encrypt", {"KeyId": ARN, "CiphertextBlob": b"ciphertext"}, asked)
    assert keys.wrap(KEY, b"here") == WRAPPED
    asked = {"KeyId": ARN, "CiphertextBlob": b"ciphertext", "EncryptionContext": BOUND}
    stub.add_response("decrypt", {"KeyId": ARN, "Plaintext": bytes(KEY)}, asked)
    assert keys.unwrap(WRAPPED, b"here") == KEY
    stub.add_response("decrypt", {"KeyId": ARN, "Plaintext": b"short"})
    with pytest.raises(Tampered):
        keys.unwrap(WRAPPED, b"here")
    stub.assert_no_pending_responses()


def test_a_rotation_makes_other_material_under_the_same_name(said: Any) -> None:
    keys, stub = said
    described = {"KeyMetadata": {"KeyId": ARN.rpartition("/")[2], "Arn": ARN}}
    stub.add_response("describe_key", described, {"KeyId": "alias/connector"})
    stub.add_response("rotate_key_on_demand", {"KeyId": ARN}, {"KeyId": ARN})
    stub.add_response("describe_key", described, {"KeyId": "alias/connector"})
    assert keys.rotate() == ARN
    stub.assert_no_pending_responses()
    with pytest.raises(ConfigurationError):
        keys.forget(ARN)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidCiphertextException", Tampered),
        ("AccessDeniedException", KeyUnavailable),
        ("DisabledException", KeyUnavailable),
        ("KMSInvalidStateException", KeyUnavailable),
        ("NotFoundException", KeyUnavailable),
        ("IncorrectKeyException", KeyUnavailable),
        ("ThrottlingException", KeysOutOfReach),
        ("KMSInternalException", KeysOutOfReach),
        ("KeyUnavailableException", KeysOutOfReach),
    ],
)
def test_each_refusal_is_what_it_is_and_tells_nothing(said: Any, code: str, kind: type[Exception]) -> None:
    keys, stub = said
    stub.add_client_error("decrypt", code, "a text that may hold anything")
    with pytest.raises(kind) as refused:
        keys.unwrap(WRAPPED, b"here")
    assert type(refused.value) is kind
    assert "anything" not in str(refused.value)


def test_nobody_who_answers_and_no_credentials_fail_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        endpoint = f"https://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        keys = AwsKeyProvider("alias/connector", "eu-central-1", endpoint=endpoint, seconds=0.5)
        with pytest.raises(KeysOutOfReach):
            keys.wrap(KEY, b"here")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    boto3.setup_default_session()
    with pytest.raises(KeyUnavailable, match="credentials"):
        AwsKeyProvider("alias/connector", "eu-central-1", endpoint=endpoint).wrap(KEY, b"here")
