"""Event files, read back by TensorBoard's own reader."""

import pytest

pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")

from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import plugin_data_pb2

from sweep.errors import SpecError
from sweep.export.tracker import export
from tests.sweep.cli.command import listing
from tests.sweep.export.roots import misses, more_seeds, select, small_root


def read(folder):
    reader = EventMultiplexer().AddRunsFromDirectory(str(folder))
    reader.Reload()
    return reader


def run_of(reader, *parts):
    (name,) = (run for run in reader.Runs() if all(part in run for part in parts))
    return name


def test_the_reader_finds_every_epoch_and_the_hyperparameters(tmp_path):
    root, folder = small_root(tmp_path / "r"), tmp_path / "new" / "events"
    assert export(select(root), "tensorboard", to=str(folder)).added == 12
    reader = read(folder)
    assert len(reader.Runs()) == 12
    name = run_of(reader, "base,", "seed-2")
    scalars = reader.Scalars(name, "test_misses")
    assert [event.value for event in scalars] == misses("base", 2)
    assert [event.step for event in scalars] == [1, 2, 3, 4, 5]
    content = reader.SummaryMetadata(name, "_hparams_/session_start_info").plugin_data.content
    parameters = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert parameters["seed"].number_value == 2
    assert parameters["engine"].string_value == "vmap"
    diverged = run_of(reader, "dropout,", "seed-3")
    assert [event.value for event in reader.Scalars(diverged, "test_misses")] == misses("dropout", 3)


def test_a_second_export_adds_only_new_files(tmp_path):
    root, folder = small_root(tmp_path / "r"), tmp_path / "events"
    export(select(root), "tensorboard", to=str(folder))
    before = listing(folder)
    assert export(select(root), "tensorboard", to=str(folder)).added == 0
    assert listing(folder) == before
    more_seeds(root, 6, 8)
    assert export(select(root), "tensorboard", to=str(folder)).added == 2
    after = listing(folder)
    assert after.items() >= before.items()
    assert len(after) == 14


def test_the_same_runs_give_the_same_files(tmp_path):
    root = small_root(tmp_path / "r")
    for name in ("a", "b"):
        export(select(root), "tensorboard", per="variant", to=str(tmp_path / name))
    assert list(listing(tmp_path / "a").values()) == list(listing(tmp_path / "b").values())
    (name,) = (run for run in read(tmp_path / "a").Runs() if "base" in run)
    assert name.endswith("seeds-0-6")


def test_a_file_in_place_of_the_folder(tmp_path):
    root = small_root(tmp_path / "r")
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match="is a file: name a folder"):
        export(select(root), "tensorboard", to=str(tmp_path / "file"))
