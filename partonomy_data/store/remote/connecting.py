"""Connecting to a bucket: credentials, region and endpoint as botocore finds them, for its client and for Arrow's file system."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from partonomy_data.errors import StoreError, UsageError
from partonomy_data.store.remote import saying
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import THREADS, Bucket

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

_CONNECT_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 60
#: Of all requests, the first included; the variable is botocore's own.
_ATTEMPTS: Final = 5


def connect(address: Address) -> Bucket:
    """A client for the bucket; nothing is asked yet.

    Raises UsageError if the extra `s3` is not installed, and StoreError if the settings of AWS can't be used.
    """
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a store on S3 needs {error.name}, which is not installed",
            where=str(address),
            mend="Run: pip install 'partonomy-data[s3]'",
        ) from error
    try:
        session = botocore.session.get_session()
        session.register_component("data_loader", _descriptions())
        region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
        return Bucket(address, _client(session, region), session.get_credentials())
    except BotoCoreError as error:
        raise saying.told(error, address, "be read") from error
    except ValueError as error:
        raise StoreError(str(error), where=str(address), mend="Check AWS_ENDPOINT_URL") from error


@cache
def _descriptions() -> Any:
    """Botocore's descriptions of services, which take it half a second to read, and never change."""
    from botocore.loaders import create_loader

    return create_loader()


def _client(session: Any, region: str) -> Any:
    from botocore.config import Config

    elsewhere = [os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")]
    elsewhere.append(session.get_scoped_config().get("endpoint_url"))
    # Servers other than Amazon's seldom have a host name for each bucket.
    style = "path" if any(elsewhere) else "auto"
    # Checksums of other kinds than ours are left out: not every server that speaks the protocol knows them.
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        max_pool_connections=2 * THREADS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": style},
    )
    return session.create_client("s3", region_name=region, config=config)


def _is_amazon(client: Any) -> bool:
    return ".amazonaws.com" in str(client.meta.endpoint_url)


def file_system(bucket: Bucket) -> S3FileSystem:
    """The bucket as Arrow's file system, with the same endpoint, region and credentials."""
    from botocore.credentials import Credentials
    from pyarrow import fs

    scheme, _, host = str(bucket.client.meta.endpoint_url).partition("://")
    options: dict[str, Any] = {}
    if not _is_amazon(bucket.client):
        options = {"endpoint_override": host.rstrip("/"), "scheme": scheme}
    known = bucket.credentials
    if type(known) is Credentials:  # others are renewed from time to time, which Arrow sees to by itself
        options |= {"access_key": known.access_key, "secret_key": known.secret_key, "session_token": known.token or ""}
    attempts = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return fs.S3FileSystem(
        region=bucket.client.meta.region_name,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_ANSWER_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=int(attempts) if attempts.isdecimal() else _ATTEMPTS),
        **options,
    )
