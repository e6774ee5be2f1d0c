"""A bucket of an S3 server: the few calls that a workspace needs of it.

An object is whole or not there, and what a PUT has answered is what every later GET and LIST sees; that is all the
atomicity there is. A PUT may ask that no object be there yet, or just the one that was read (conditional writes of S3,
``If-None-Match`` and ``If-Match``). Keys, region and endpoint come from where boto3 finds them (environment,
~/.aws, the machine's role); nothing of them is ever stored.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any

from model.errors import WorkspaceError

SCHEME = "s3://"

REFUSED = {
    "AccessDenied": "the keys may not do this: give them s3:ListBucket, GetObject, PutObject and DeleteObject",
    "InvalidAccessKeyId": "the server does not know these keys: set AWS_ACCESS_KEY_ID, or AWS_PROFILE",
    "NoSuchBucket": "there is no such bucket: make it, or correct its name",
    "SignatureDoesNotMatch": "the secret key is wrong: set AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION",
    "NotImplemented": "the server lacks conditional writes (If-Match, If-None-Match), which hold runs apart",
}
"""What trying again would not mend."""


class Conflict(Exception):
    """A conditional PUT found another object than the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its size in bytes, its ETag, and for how many seconds it has been so, by the server's clock."""

    size: int
    etag: str
    age: float = 0.0


@dataclass(frozen=True)
class Bucket:
    """``bucket`` and the ``prefix`` in it, "" or ending in "/"; safe to use from several threads."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def _client(self) -> Any:
        return _connect(frozenset(item for item in os.environ.items() if item[0].startswith("AWS_")))

    def put(
        self, name: str, body: bytes | Path, *, absent: bool = False, match: str | None = None, kind: str | None = None
    ) -> str:
        """Writes one object, from memory or from a file of up to 5 GB, and returns its ETag.

        Raises Conflict where it is there although it should be ``absent``, or where its ETag is not ``match``.
        """
        about: dict[str, Any] = {"IfNoneMatch": "*"} if absent else {"IfMatch": match} if match else {}
        if kind:
            about["ContentType"] = kind
        with self._explained(name):
            if isinstance(body, bytes):
                return str(self._put(name, body, about)["ETag"])
            with body.open("rb") as file:
                return str(self._put(name, file, about)["ETag"])

    def read(self, name: str) -> tuple[bytes, Found] | None:
        """A small object, None where there is none."""
        with self._explained(name):
            answer = self._get(name)
            return answer and (answer["Body"].read(), _found(answer))

    def download(self, name: str, target: Path) -> Found | None:
        """Writes an object into a file; None, and nothing written, where there is none."""
        with self._explained(name):
            if (answer := self._get(name)) is None:
                return None
            with target.open("wb") as file:
                for block in answer["Body"].iter_chunks(1 << 20):
                    file.write(block)
            return _found(answer)

    def sha256(self, name: str) -> str | None:
        """The digest of an object's bytes as they are read now, None where there is none."""
        with self._explained(name):
            if (answer := self._get(name)) is None:
                return None
            found = hashlib.sha256()
            for block in answer["Body"].iter_chunks(1 << 20):
                found.update(block)
            return found.hexdigest()

    def copy(self, name: str, to: str) -> bool:
        """Gives an object of up to 5 GB a second name, within the bucket; False where there is none."""
        with self._explained(name):
            if self.head(name) is None:
                return False
            source = {"Bucket": self.bucket, "Key": self.prefix + name}
            self._client.copy_object(Bucket=self.bucket, Key=self.prefix + to, CopySource=source)
            return True

    def head(self, name: str) -> Found | None:
        with self._explained(name):
            from botocore.exceptions import ClientError

            try:
                return _found(self._client.head_object(Bucket=self.bucket, Key=self.prefix + name))
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise

    def list(self, folder: str) -> dict[str, Found]:
        """All objects whose names begin with ``folder``, by their names without the prefix."""
        with self._explained(folder):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + folder
            )
            found = (item for page in pages for item in page.get("Contents", ()))
            return {item["Key"].removeprefix(self.prefix): Found(item["Size"], item["ETag"]) for item in found}

    def delete(self, name: str) -> None:
        """Removes an object; nothing where there is none."""
        with self._explained(name):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def _put(self, name: str, body: bytes | IO[bytes], about: Mapping[str, Any]) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self._client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=body, **about)
        except ClientError as error:  # 409: another conditional PUT was under way; 404: the object was removed
            if about.keys() & {"IfMatch", "IfNoneMatch"} and _status(error) in (404, 409, 412) and not _refused(error):
                raise Conflict(name) from None
            raise

    def _get(self, name: str) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self._client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Faults that stay are WorkspaceErrors; the others, tried five times by then, are those of a machine."""
        try:
            import boto3  # noqa: F401
            from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
            from botocore.exceptions import ConnectionError as Unreachable
        except ImportError:
            raise WorkspaceError(f"{self.url}: a workspace on S3 needs boto3: pip install 'dialoguellm[s3]'") from None
        where = f"{self.url}/{name}"
        try:
            yield
        except ClientError as error:
            if known := _refused(error):
                raise WorkspaceError(f"{where}: {known}") from error
            raise ConnectionError(f"{where}: the server answers {error}; try again later") from error
        except NoCredentialsError as error:
            raise WorkspaceError(f"{where}: no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
        except (HTTPClientError, Unreachable, OSError) as error:
            raise ConnectionError(f"{where} cannot be reached ({error})") from error
        except BotoCoreError as error:  # no region, no such profile, a bucket's name that cannot be one
            raise WorkspaceError(f"{where}: {error}") from error


@lru_cache(maxsize=8)
def bucket_of(url: str) -> Bucket:
    """The bucket and prefix of ``s3://bucket/prefix``. Raises WorkspaceError where it is no such URL."""
    found = re.fullmatch(r"s3:/{1,2}([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w.=+@ -]+)*)/?", url)
    if not found or any(part in (".", "..") for part in found[2].split("/")):
        raise WorkspaceError(f"{url!r} cannot be a workspace: write s3://bucket or s3://bucket/folder")
    prefix = found[2].strip("/")
    return Bucket(found[1], f"{prefix}/" if prefix else "")


@lru_cache(maxsize=4)
def _connect(environment: frozenset[tuple[str, str]]) -> Any:
    """One client for all buckets: making it takes a third of a second."""
    import boto3
    from botocore.config import Config

    tries = {} if "AWS_MAX_ATTEMPTS" in dict(environment) else {"total_max_attempts": 5}
    return boto3.session.Session().client(
        "s3", config=Config(retries={"mode": "standard", **tries}, max_pool_connections=32)
    )


def _found(answer: Any) -> Found:
    then = answer["LastModified"]
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return Found(answer["ContentLength"], answer["ETag"], (now - then).total_seconds())


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refused(error: Any) -> str | None:
    code = str(error.response["Error"]["Code"])
    return REFUSED.get(code) or (REFUSED["AccessDenied"] if code in ("403", "Forbidden") else None)
