"""SQL over the finished runs of a root, with DuckDB. A query reads only the files and columns that it needs.

    epochs        one row per run and epoch: the stored columns, and the constants of the file
    final         the rows of `epochs` after the last epoch of each run
    predictions   one row per run: predicted labels of the test digits as a list, null if the run diverged

The constants are variant_digest and dataset_digest (8 hex digits), engine, device, code, epochs (of the whole
training), n_train and n_test.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sweep.errors import SpecError
from sweep.store.reader import CONSTANTS, first_new_seeds
from sweep.store.schema import Kind, schema
from sweep.store.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS_OF_VIEWS = (
    "SELECT table_name AS view, column_name AS column, data_type AS type FROM information_schema.columns "
    "WHERE table_name IN ('epochs', 'final', 'predictions') ORDER BY table_name, ordinal_position"
)
_LABELS_AS_LIST = "CAST(string_split(hex(predictions), '')[2:-:2] AS UTINYINT[])"  # each byte is below 10
_PROTOCOL = "sweep"  # protocol of the paths of an object store


def query(store: Store, statement: str = COLUMNS_OF_VIEWS) -> pd.DataFrame:
    """The result of a SQL statement.

    Args:
      store: the root whose runs the views hold.
      statement: in DuckDB's dialect; the default lists the columns of the views.

    Returns:
      The rows with nullable types; lists are Python lists.

    Raises:
      SpecError: DuckDB is not installed.
      ValueError: a wrong statement, one without a result, or a root without finished runs.
      StoreError: a damaged root.
    """
    try:
        import duckdb
    except ImportError:
        raise SpecError("`sweep sql` requires DuckDB: pip install 'lecun1989-sweep[sql]'") from None
    if not store.files:
        raise ValueError(f"{store.root}: no run has finished yet; `sweep status` shows the progress")
    with duckdb.connect() as connection:
        _create_views(connection, store)
        try:
            result = connection.sql(statement)
            if result is None:
                raise ValueError("the statement returns no rows: write a SELECT")
            frame: pd.DataFrame = result.df()
        except duckdb.Error as error:
            raise ValueError(" ".join(str(error).partition("\n\n")[0].split())) from None
    for name in frame.columns:
        if frame[name].map(lambda value: isinstance(value, np.ndarray)).any():
            frame[name] = [v.tolist() if isinstance(v, np.ndarray) else None for v in frame[name]]
    return frame.convert_dtypes()


def _create_views(connection: "DuckDBPyConnection", store: Store) -> None:
    described = [file.metadata for file in store.files]
    constants = {name: [value(m) for m in described] for name, value in CONSTANTS.items()}
    first = {"first_new_seed": first_new_seeds(described)}  # a run that is stored twice counts once
    for kind in ("epochs", "labels"):
        paths = _paths(connection, store, kind)
        connection.register(f"_{kind}_files", pd.DataFrame({"path": paths} | first | constants))
        rows = connection.read_parquet(paths, filename=True, union_by_name=True)
        rows.create_view(f"_{kind}")
        stored = {
            name: f"r.{name}" if name in rows.columns else "NULL"  # a column that all files are too old for
            for name in schema(kind).names
        }
        if kind == "labels":
            stored["predictions"] = _LABELS_AS_LIST
        of_file = {name: f"f.{name}" for name in CONSTANTS if name not in stored}
        columns = ", ".join(f"{source} AS {name}" for name, source in (stored | of_file).items())
        view = "predictions" if kind == "labels" else kind
        connection.execute(
            f"CREATE VIEW {view} AS SELECT {columns} FROM _{kind} r JOIN _{kind}_files f ON r.filename = f.path "
            "WHERE r.seed >= f.first_new_seed"
        )
    connection.execute("CREATE VIEW final AS SELECT * FROM epochs WHERE epoch = epochs.epochs")


def _paths(connection: "DuckDBPyConnection", store: Store, kind: Kind) -> list[str]:
    """The files of a kind as DuckDB opens them."""
    below = [f"{kind}/{file.path}.parquet" for file in store.files]
    if store.local:
        return [f"{store.folder.base}/{path}" for path in below]
    if not connection.filesystem_is_registered(_PROTOCOL):
        connection.register_filesystem(_file_system(store))
    return [f"{_PROTOCOL}://{store.folder.base}/{path}" for path in below]


def _file_system(store: Store) -> Any:
    """The file system of a root in an object store, as DuckDB reads from it."""
    from fsspec.implementations.arrow import ArrowFSWrapper

    class Files(ArrowFSWrapper):  # type: ignore[misc]
        protocol = _PROTOCOL

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix(f"{_PROTOCOL}://")

    return Files(store.folder.system)
