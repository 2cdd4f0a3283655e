"""One stored table as the bytes of a Parquet file, with digests over its rows and over the whole file.

The file digest is the SHA-256 of the file with the digest's own 64 characters replaced by zeros, so every bit of the
file is covered. Files written before it existed have only the row digest. Page statistics and Arrow's copy of the
schema are not written: no digest of theirs covers them, and other readers trust them.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sweep.store.errors import Damaged
from sweep.store.schema import METADATA_KEY, FileMetadata

ROWS_KEY = b"lecun1989_sweep_digest"
FILE_KEY = b"lecun1989_sweep_file_digest"
_KEYS = {METADATA_KEY, ROWS_KEY, FILE_KEY, b"ARROW:schema"}
_EMPTY = b"0" * 64
_ANCHOR = FILE_KEY + b"\x18\x40"  # Thrift: the key, then the header of a string of 64 bytes


def encode(table: pa.Table, metadata: FileMetadata) -> bytes:
    """A Parquet file of a table."""
    text = metadata.encode()
    described = {METADATA_KEY: text, ROWS_KEY: rows_digest(table, text), FILE_KEY: _EMPTY}
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema.remove_metadata(),
        compression="zstd",
        write_page_checksum=True,
        write_statistics=False,
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(described)
    content: bytes = sink.getvalue().to_pybytes()
    at = content.rindex(_ANCHOR) + len(_ANCHOR)
    return content[:at] + hashlib.sha256(content).hexdigest().encode() + content[at + 64 :]


def verify(content: bytes) -> tuple[pa.Table, FileMetadata]:
    """The table and metadata of a file whose digests hold.

    Raises:
      Damaged: a digest does not hold, or the file was not written by this program.
      NewerVersion: written by a newer version.
      pyarrow.ArrowException, OSError, ValueError, …: not a readable Parquet file.
    """
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    described: dict[bytes, bytes] = file.metadata.metadata or {}
    metadata = FileMetadata.decode(described)
    if unknown := described.keys() - _KEYS:
        raise Damaged(f"has the unknown metadata key {min(unknown).decode(errors='replace')!r}")
    # Searched in the bytes: a damaged footer may hide the key from the parser.
    if FILE_KEY in content and not _file_digest_holds(content):
        raise Damaged("does not match its file digest")
    table = file.read()
    if described.get(ROWS_KEY, digest := rows_digest(table, described[METADATA_KEY])) != digest:
        raise Damaged("does not match its digest")
    return table, metadata


def _file_digest_holds(content: bytes) -> bool:
    at = content.rfind(_ANCHOR) + len(_ANCHOR)
    if at < len(_ANCHOR):
        return False
    expected = hashlib.sha256(content[:at] + _EMPTY + content[at + 64 :]).hexdigest()
    return content[at : at + 64] == expected.encode()


def rows_digest(table: pa.Table, metadata: bytes) -> bytes:
    """SHA-256 (64 hex digits) over metadata and rows: names, types and values, not their encoding in Parquet."""
    digest = hashlib.sha256(metadata)
    for about, column in zip(table.schema, table.columns, strict=True):
        is_list = pa.types.is_list(
            about.type
        )  # its text has the element's name, which differs between writers
        type_name = f"list<{about.type.value_type}>" if is_list else about.type
        digest.update(f"{about.name} {type_name} {len(column)}".encode())
        for part in _content(column.combine_chunks()):
            digest.update(part)
    return digest.hexdigest().encode()


def _content(array: pa.Array) -> Iterator[bytes | memoryview]:
    """Validity, then lengths and values of an array, little-endian."""
    yield np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_list(array.type):
        yield array.value_lengths().fill_null(0).to_numpy().astype("<i8").tobytes()
        yield from _content(array.flatten())
    elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        array = array.cast(pa.binary()).fill_null(b"")
        _, ends, content = array.buffers()
        ends = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
        yield np.diff(ends).astype("<i8").tobytes()
        yield memoryview(content)[ends[0] : ends[-1]] if content else b""
    else:
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        yield values.astype(values.dtype.newbyteorder("<")).tobytes()
