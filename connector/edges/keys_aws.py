"""Key-encryption keys in AWS Key Management Service (Encrypt, Decrypt, DescribeKey, RotateKeyOnDemand).

Needs the extra ``aws`` (boto3). Credentials come the way that boto3 finds them: the role of the machine, the
environment or its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store.keys import KEY_BYTES, Wrapped

_MOVED: Final = frozenset({"InvalidCiphertextException"})
_UNWELL: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)


class AwsKeyProvider:
    """See ``KeyProvider``. One KMS key, by its id, ARN or alias."""

    name: Final = "aws"

    def __init__(
        self, key: str, region: str, *, endpoint: str = "", seconds: float = 5.0, client: Any = None
    ) -> None:
        """``client``: one of boto3's for KMS, in the place of our own."""
        self._key = key
        limits = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 2})
        self._client = client or boto3.client(
            "kms", region_name=region, endpoint_url=endpoint or None, config=limits
        )

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """See ``KeyProvider``."""
        asked = {"KeyId": self._key, "Plaintext": bytes(key), "EncryptionContext": _bound(context)}
        answer = _asked(self._client.encrypt, **asked)
        return Wrapped(self.name, str(answer["KeyId"]), bytes(answer["CiphertextBlob"]))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """See ``KeyProvider``."""
        asked = {
            "KeyId": wrapped.key_id,
            "CiphertextBlob": wrapped.blob,
            "EncryptionContext": _bound(context),
        }
        key = bytearray(_asked(self._client.decrypt, **asked)["Plaintext"])
        if len(key) != KEY_BYTES:
            raise Tampered("what the key management service opens is no key")
        return key

    def current(self) -> str:
        """See ``KeyProvider``: the ARN, also where the settings name an alias."""
        return str(_asked(self._client.describe_key, KeyId=self._key)["KeyMetadata"]["Arn"])

    def rotate(self) -> str:
        """See ``KeyProvider``: other key material under the same ARN."""
        _asked(self._client.rotate_key_on_demand, KeyId=self.current())
        return self.current()

    def forget(self, key_id: str) -> bool:
        """Not from here."""
        raise ConfigurationError("AWS keeps the key", fix="disable it there, then schedule its deletion")


def _asked(call: Callable[..., Any], **asked: Any) -> Any:
    try:
        return call(**asked)
    except ClientError as error:
        raise _refused(str(error.response.get("Error", {}).get("Code", ""))) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise KeyUnavailable("there are no credentials for AWS", fix="give the machine a role") from None
    except BotoCoreError as error:
        raise KeysOutOfReach(f"AWS KMS does not answer ({type(error).__name__})") from None


def _refused(code: str) -> KeyUnavailable | Tampered:
    if code in _MOVED:
        return Tampered("AWS KMS does not open a wrapped key where it lies")
    if code in _UNWELL:
        return KeysOutOfReach(f"AWS KMS is unwell ({code})")
    return KeyUnavailable(f"AWS KMS refuses ({code})", fix="see the key's state and its policy")


def _bound(context: bytes) -> dict[str, str]:
    """Authenticated, and written into CloudTrail as it is: so nothing but a digest."""
    return {"connector": hashlib.sha256(context).hexdigest()}
