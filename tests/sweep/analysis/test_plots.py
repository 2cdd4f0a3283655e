"""Every picture is drawn and says its n and its digits."""

import numpy as np
import pandas as pd
import pytest
import rows
from matplotlib.figure import Figure
from rows import A

from sweep.analysis.plots import PLOTS, save

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 10, 60)
WRONG = RNG.random((20, 60)) < 0.2
IMAGES = RNG.uniform(-1, 1, (60, 16, 16)).astype(np.float32)
CURVES = {
    name: np.maximum(level + 300 / np.arange(1, 7) + RNG.normal(0, 6, (30, 6)), 0).round()
    for name, level in (("base", 82), ("softmax", 80), ("adamw", 75), ("base,learning_rate=0.01", 90))
}


def draw(name: str) -> Figure:
    plot = PLOTS[name]
    if plot.needs in ("labels", "images"):
        labels = rows.labels(WRONG, TRUTH)
        more = () if plot.needs == "labels" else (IMAGES,)
        return plot.make(labels, TRUTH, *more)
    return plot.make(rows.epochs(CURVES, diverged={"softmax": [3]}))


@pytest.mark.parametrize("name", PLOTS)
def test_says_what_it_is_of(name, tmp_path):
    figure = draw(name)
    caption = figure.get_supxlabel()
    assert "mnist" in caption
    assert "test digits" in caption
    assert "n = " in caption or "Seeds: " in caption
    assert any(ax.get_xlabel() for ax in figure.axes) or name == "gallery"
    save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["raincloud", "ensemble"])  # those that draw lots
def test_the_same_rows_give_the_same_file(name, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    save(draw(name), first)
    save(draw(name), second)
    assert first.read_text().startswith("<?xml")
    assert first.read_bytes() == second.read_bytes()


def test_one_seed_and_seeds_that_agree_are_drawn_too(tmp_path):
    frame = rows.epochs({"base": [[90, 80]], "softmax": [[90, 80]] * 4})
    for name in ("curves", "ecdf", "raincloud", "heatmap", "best-epoch"):
        save(PLOTS[name].make(frame), tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("running", "needs 3 runs"),
        ("histogram", "needs 2 runs"),
        ("best-epoch", "needs every epoch"),
        ("scatter", "two variants with two runs each"),
    ],
)
def test_too_few_runs_get_a_clear_line(name, line):
    with pytest.raises(ValueError, match=line):
        PLOTS[name].make(rows.epochs({"base": [80]}))


def test_variants_of_different_seeds_have_no_scatter():
    apart = pd.concat(
        [rows.epochs({"base": A}), rows.epochs({"softmax": A}, first_seed=90)], ignore_index=True
    )
    with pytest.raises(ValueError, match="no two variants share seeds"):
        PLOTS["scatter"].make(apart)


def test_only_png_and_svg(tmp_path):
    with pytest.raises(ValueError, match=r"a figure is written as \.png or \.svg"):
        save(draw("forest"), tmp_path / "forest.jpg")
