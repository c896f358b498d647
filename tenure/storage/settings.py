"""How an S3 service is reached: endpoint, region, address style, certificates, proxy. Secrets stand nowhere here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Encryption: TypeAlias = Literal["", "AES256", "aws:kms"]


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """How to reach S3, or a service that speaks its language. '' leaves a setting to the AWS environment.

    `path_style` writes the bucket into the path (`endpoint/bucket/key`), as most services other than AWS want.
    `profile` is a name in the user's AWS files, never a key. `kms_key` is the id of a key of `aws:kms`.
    """

    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    ca_bundle: Path | None = None
    proxy: str = ""
    profile: str = ""
    encryption: Encryption = ""
    kms_key: str = ""

    @property
    def encryption_headers(self) -> dict[str, str]:
        """What a PUT says of encryption at rest, as boto3 names it."""
        headers = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in headers.items() if value}
