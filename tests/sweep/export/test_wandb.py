"""Offline runs of Weights & Biases, read from the files that `wandb sync` uploads."""

import json

import pytest

pytest.importorskip("wandb", reason="the extra `wandb` is not installed")

from wandb.proto.wandb_internal_pb2 import Record

from sweep.export.tracker import export
from tests.sweep.cli.command import listing, sweep
from tests.sweep.export.roots import misses, more_seeds, select, small_root

pytestmark = pytest.mark.slow  # starts the process that writes the files

HEADER, BLOCK = 7, 32768  # of a file, and of the log format of LevelDB


def records(folder):
    """The records of an offline run."""
    (path,) = folder.glob("*.wandb")
    content, at, parts = path.read_bytes(), HEADER, b""
    while at < len(content):
        if BLOCK - at % BLOCK < HEADER:  # padding at the end of a block
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + HEADER : at + HEADER + size]
        at += HEADER + size
        if kind in (1, 4):  # the whole record, or its last part
            yield Record.FromString(parts)
            parts = b""


def _values(items):
    return {
        item.nested_key[0] if item.nested_key else item.key: json.loads(item.value_json) for item in items
    }


def of_run(folder, name):
    """The description, the rows and the exit record of the run with a name."""
    for path in folder.glob("offline-run-*"):
        found = list(records(path))
        described = next(r.run for r in found if r.WhichOneof("record_type") == "run")
        if described.display_name == name:
            rows = [_values(r.history.item) for r in found if r.WhichOneof("record_type") == "history"]
            return described, rows, [r.exit.exit_code for r in found if r.WhichOneof("record_type") == "exit"]
    raise AssertionError(name)


def test_the_files_have_every_epoch_and_the_configuration(tmp_path):
    root, folder = small_root(tmp_path / "r"), tmp_path / "new" / "wandb"
    ended = sweep("export", "wandb", "--root", root, "--to", folder, "--experiment", "mine")
    assert (ended.code, ended.err) == (0, f"12 runs exported to {folder}\n")
    described, rows, exits = of_run(folder, "base,epochs=5, seed 2")
    assert (described.project, described.run_group) == ("mine", "base,epochs=5")
    config = {item.key: json.loads(item.value_json) for item in described.config.update}
    assert config.items() >= {"seed": 2, "learning_rate": 0.03, "engine": "vmap"}.items()
    assert [row["test_misses"] for row in rows] == misses("base", 2)
    assert [row["_step"] for row in rows] == [1, 2, 3, 4, 5]
    assert exits == [0]
    _, rows, _ = of_run(folder, "dropout,epochs=5, seed 3")
    assert [row.get("test_misses") for row in rows] == [*misses("dropout", 3), None]


def test_a_second_export_adds_only_new_runs(tmp_path):
    root, folder = small_root(tmp_path / "r", seeds=2), tmp_path / "wandb"
    assert export(select(root), "wandb", to=str(folder)).added == 4
    before = listing(folder)
    assert export(select(root), "wandb", to=str(folder)).added == 0
    assert listing(folder) == before
    more_seeds(root, 2, 4)
    result = export(select(root), "wandb", to=str(folder))
    assert (result.added, result.present) == (2, 4)
    after = listing(folder)
    assert after.items() >= before.items()
    assert len([path for path in after if path.endswith(".wandb")]) == 6
    assert not [path for path in folder.iterdir() if path.name.startswith("_")]
