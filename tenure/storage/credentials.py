"""One identity for S3: whoever asks S3 asks by the same credentials, found once and renewed before they expire.

environment ─► profile ─► assumed role ─► web identity ─► container ─► instance metadata (asked once, 2 s)

The chain is botocore's own, https://docs.aws.amazon.com/boto3/latest/guide/credentials.html; it renews temporary
credentials from 15 minutes before they expire, so a run may last longer than they do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tenure.errors import InvalidConfig, MissingDependency, StorageError, install_hint

if TYPE_CHECKING:
    from tenure.storage.settings import S3Settings

#: How often a request is made before its failure is said.
ATTEMPTS = 8

#: Connections that threads of an engine may read by at once.
_CONNECTIONS = 32


def s3_client(settings: S3Settings) -> Any:
    """Return the one client of boto3 for these settings.

    Raises InvalidConfig if they are wrong, MissingDependency without boto3, StorageError if no credentials are found.
    """
    found = _client_or_refusal(settings)
    if isinstance(found, StorageError):
        raise found
    return found


@cache
def _client_or_refusal(settings: S3Settings) -> Any:
    """The client; or why there is none, so that nobody is asked for credentials a second time."""
    session = _session(settings)
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if session.get_credentials() is None:
        return StorageError(
            "no credentials for S3 were found: neither in the environment, nor in an AWS profile, nor from a role.",
            hint="Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or [s3] profile in tenure.toml.",
        )
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=_CONNECTIONS,
        # Backs off with jitter; slow-down answers (503) count.
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        s3={"addressing_style": "path" if settings.path_style else "auto"},
        proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
    )
    try:
        return session.client(
            "s3",
            endpoint_url=settings.endpoint or None,
            verify=str(settings.ca_bundle) if settings.ca_bundle else None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise InvalidConfig(
            f"S3 can't be reached by these settings: {error}.", hint="See [s3] in tenure.toml."
        ) from error


def _session(settings: S3Settings) -> Any:
    """A session of boto3 whose chain asks the metadata service once and waits two seconds for it."""
    try:
        import boto3
        import botocore.session
        from botocore.exceptions import ProfileNotFound
    except ImportError as error:
        raise MissingDependency("files on S3 need boto3, which is not installed.", hint=install_hint("aws")) from error
    chain = botocore.session.Session(profile=settings.profile or None)
    chain.set_config_variable("metadata_service_timeout", 2)
    chain.set_config_variable("metadata_service_num_attempts", 1)
    try:
        return boto3.Session(botocore_session=chain, region_name=settings.region or None)
    except ProfileNotFound as error:
        raise InvalidConfig(
            f"[s3] profile is '{settings.profile}', and no AWS file names it.",
            hint="See the profiles with 'aws configure list-profiles', or leave it out.",
        ) from error
