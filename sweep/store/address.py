"""The address of a root, opened: a local folder, ``s3://BUCKET/PATH`` or ``gs://BUCKET/PATH``.

Credentials come from the environment. An address may carry the options of `pyarrow.fs.FileSystem.from_uri`.
"""

import json
import os
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from sweep.errors import StoreError, one_line
from sweep.store.folder import Folder, local_folder

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ATTEMPTS = 8  # per request, with growing pauses: a connection that drops for seconds ends no sweep
SECONDS = 20.0  # without an answer; then the request is sent again


def folder_at(root: str) -> Folder:
    """The folder at an address.

    Raises:
      StoreError: not a valid address, or it cannot be reached.
    """
    if not root.strip():
        raise StoreError(
            f"root {root!r} is not usable: it is empty; name a folder, gs://BUCKET/… or s3://BUCKET/…"
        )
    if "://" not in root:
        return local_folder(root)
    try:
        system, base = fs.FileSystem.from_uri(root)
    except (pa.ArrowInvalid, ValueError) as error:
        raise StoreError(f"root {root!r} is not usable: {one_line(error)}") from None
    except OSError as error:
        raise StoreError(f"{root}: cannot be reached: {one_line(error)}") from None
    if not base.strip("/"):
        raise StoreError(f"root {root!r} is not usable: it names no bucket, such as s3://BUCKET/results")
    if isinstance(system, fs.S3FileSystem) and "?" not in root:
        system = _with_retries(system.region)
    return Folder(root, system, base, None)


def _with_retries(region: str) -> fs.S3FileSystem:
    """S3 as `from_uri` returns it, with more retries."""
    endpoint = urlsplit(_endpoint() or "https:")
    return fs.S3FileSystem(
        region=region,
        scheme=endpoint.scheme,
        endpoint_override=endpoint.netloc or None,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        connect_timeout=SECONDS,
        request_timeout=SECONDS,
        allow_delayed_open=True,  # a small file is one put instead of an upload in parts
    )


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def conditional_store(folder: Folder) -> "ObjectStore":
    """The same bucket and path through a client that has conditional puts, which Arrow's lacks.

    Raises:
      StoreError: not an S3 or Google Cloud Storage address.
    """
    from obstore.store import GCSStore, S3Store

    url = urlsplit(folder.root)
    bucket, _, prefix = folder.base.partition("/")
    options = {key: values[-1] for key, values in parse_qs(url.query).items()}
    endpoint = None
    if "endpoint_override" in options:
        endpoint = f"{options.get('scheme', 'https')}://{options['endpoint_override']}"
    common: dict[str, Any] = {
        "prefix": prefix,
        "client_options": {"allow_http": True, "timeout": f"{SECONDS:g}s"},
        "retry_config": {"max_retries": ATTEMPTS, "retry_timeout": timedelta(seconds=SECONDS)},
    }
    if isinstance(folder.system, fs.S3FileSystem):
        config: dict[str, Any] = {"region": folder.system.region}
        if endpoint := endpoint or _endpoint():
            config["endpoint"] = endpoint
        if url.username and url.password:
            config |= {"access_key_id": unquote(url.username), "secret_access_key": unquote(url.password)}
        elif find_spec("boto3"):  # reads profiles, too
            from obstore.auth.boto3 import Boto3CredentialProvider

            common["credential_provider"] = Boto3CredentialProvider()
        return S3Store(bucket, config=config, **common)  # type: ignore[arg-type]
    if isinstance(folder.system, fs.GcsFileSystem):
        config = {}
        if url.username == "anonymous":
            key = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
            config["service_account_key"] = json.dumps(key | ({"gcs_base_url": endpoint} if endpoint else {}))
        return GCSStore(bucket, config=config, **common)  # type: ignore[arg-type]
    raise StoreError(f"{folder.root}: is neither s3:// nor gs://, which are the object stores with leases")
