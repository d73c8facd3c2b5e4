"""Errors of the server, of the network and of credentials, as one clear line each."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from partonomy_data.errors import StoreError
from partonomy_data.store.remote.address import Address

_CREDENTIALS: Final = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_DENIED: Final = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden"})
_UNKNOWN_KEYS: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId"}
)
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_UNKNOWING: Final = frozenset({"NotImplemented", "501"})

NO_CONDITIONS: Final = (
    "the server knows no conditional writes, without which two publishers could undo each other's work"
)


class NotMet(Exception):
    """A write's condition wasn't met: somebody else was faster."""


class Missing(Exception):
    """There is no object of this key."""


class Damaged(StoreError):
    """A version in the bucket that isn't as it was published."""


def damaged(version: str, address: Address, how: str) -> Damaged:
    """The error for a version that isn't as it was published."""
    return Damaged(
        f"version {version} is damaged: {how}",
        where=str(address),
        mend="Roll back to another version, or build again",
    )


def no_conditions(address: Address) -> StoreError:
    """The error for a server that can't be published to."""
    return StoreError(
        NO_CONDITIONS, where=str(address), mend="Use S3 or a server that knows If-Match and If-None-Match"
    )


def told(error: Exception, address: Address, doing: str) -> Exception:
    """What to raise for an error that botocore raised while `doing` something ("be read", "be written to")."""
    from botocore import exceptions

    where = str(address)
    if isinstance(error, exceptions.ClientError):
        return _of_server(error.response, address, doing)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return StoreError("there are no credentials for S3", where=where, mend=_CREDENTIALS)
    if isinstance(error, exceptions.CredentialRetrievalError | exceptions.ProfileNotFound):
        return StoreError(f"no credentials could be had ({_line(error)})", where=where, mend=_CREDENTIALS)
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        url = urlsplit(str(error.kwargs.get("endpoint_url") or ""))
        named = f" at {url.scheme}://{url.netloc}" if url.netloc else ""
        how = "" if isinstance(error, exceptions.EndpointConnectionError) else f" ({_line(error)})"
        return StoreError(
            f"the server{named} can't be reached{how}", where=where, mend="Check the network and AWS_ENDPOINT_URL"
        )
    return StoreError(f"it can't {doing} ({_line(error)})", where=where, mend="Check the settings of AWS")


def _of_server(response: dict[str, Any], address: Address, doing: str) -> Exception:
    """What to raise for an answer that says no."""
    told = response.get("Error", {})
    code, status = str(told.get("Code", "")), response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    where = str(address)
    if code == "NoSuchBucket":
        return StoreError(f"there is no bucket {address.bucket!r}", where=where, mend="Check its name, or make it")
    if code in _MISSING:
        return Missing()
    if status in (409, 412):
        return NotMet()
    if code in _UNKNOWN_KEYS:
        return StoreError(f"the server doesn't accept these credentials ({code})", where=where, mend=_CREDENTIALS)
    if code in _DENIED or status in (401, 403):
        return StoreError(
            f"with these credentials it may not {doing} ({code or status})",
            where=where,
            mend="Use others, or have the bucket's owner allow it",
        )
    if code in _UNKNOWING or status == 501:
        return no_conditions(address)
    said = str(told.get("Message", "")).splitlines()
    reason = f"{code}: {said[0].rstrip('.')}" if said and said[0] else code or f"status {status}"
    return StoreError(f"it can't {doing} (the server says {reason})", where=where, mend="Try again later")


def of_arrow(error: Exception, address: Address) -> StoreError | None:
    """The same for what Arrow says of S3 in the middle of a query; None if it is about something else."""
    text = " ".join(str(error).split())
    if any(one in text for one in ("Path does not exist", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND")):
        return StoreError(
            "a file of this version is gone, perhaps by a prune", where=str(address), mend="Open the store anew"
        )
    if "AWS Error" not in text:
        return None
    said = text[text.index("AWS Error") + len("AWS Error ") :]
    if said.startswith("ACCESS_DENIED"):
        return StoreError(
            "with these credentials it may not be read (AccessDenied)", where=str(address), mend="Use others"
        )
    return StoreError(
        f"the server can't be read from ({said.split(';')[0][:200]})", where=str(address), mend="Check the network"
    )


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
