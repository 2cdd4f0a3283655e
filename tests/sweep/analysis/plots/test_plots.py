"""Every plot is drawn, states its n and its digits, and shows the expected data."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sweep.analysis.plots.differences import place
from sweep.analysis.plots.distributions import whole_bins
from sweep.analysis.plots.plot import make_plot
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.plots.style import WIDTH, figure_format, looks, to_bytes
from sweep.analysis.selection import Selection
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import A
from tests.sweep.analysis.stored import stored

RNG = np.random.default_rng(0)
DIFFICULTY = RNG.beta(0.6, 2.4, 60)
WRONG = {
    name: RNG.random((24, 60)) < DIFFICULTY * share
    for name, share in (("base", 1), ("softmax", 0.9), ("dropout", 0.5))
}
ONLY_ON_OTHER_RUNS = {
    "overview",
    "reproductions",
    "scaling",
    "sources",
}  # published sizes, several sizes, crossed seeds


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("plots") / "results", WRONG, diverged={"softmax": {3}})


class Published:
    """A selection with runs of the published sizes: what `raincloud`, `ecdf` and `reproductions` read."""

    def __init__(self, **options) -> None:
        self._runs = rows.runs({"base": np.tile(A, 3), "softmax": np.tile(A - 9, 3)}, **options)

    def runs(self):
        """Runs after the last epoch."""
        return self._runs


@pytest.mark.parametrize("name", [name for name in PLOTS if name not in ONLY_ON_OTHER_RUNS])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_every_plot_is_drawn_and_describes_its_data(store, name, kind):
    figure = make_plot(store, name)
    caption = figure.get_supxlabel()
    assert "mnist5k" in caption
    assert "test digits" in caption
    assert "n = " in caption
    assert figure.get_figwidth() == WIDTH
    content = to_bytes(figure, kind)
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])


@pytest.mark.parametrize("name", ["raincloud", "ensemble", "variance"])  # those that draw random numbers
@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_the_same_runs_give_the_same_file(store, name, kind):
    assert to_bytes(make_plot(store, name), kind) == to_bytes(make_plot(store, name), kind)


def texts(figure: Figure) -> str:
    return " ".join(t.get_text() for ax in figure.axes for t in (*ax.texts, *ax.get_yticklabels(), ax.title))


def test_reproductions_have_a_row_for_every_published_number():
    figure = load("reproductions")(Published())
    shown = texts(figure)
    for name in ("base, 30 seeds", "Karpathy", "Chang", "yomei-o", "softmax, 30 seeds"):
        assert name in shown
    assert "74 (" in shown
    with pytest.raises(ValueError, match="no published number fits"):
        load("reproductions")(Published(sizes=(3920, 1080)))


def test_overview_has_the_spread_the_changes_and_the_published_numbers():
    figure = load("overview")(Published())
    shown = texts(figure)
    assert "other seed (30 seeds)" in shown
    assert f"{np.std(np.tile(A, 3), ddof=1):.1f}" in shown
    assert "base → softmax" in shown
    assert "-9.0" in shown
    assert "base, mean 83.3" in shown
    (_, bottom) = figure.axes
    at = [float(line.get_xdata()[0]) for line in bottom.lines if line.get_marker() == "D"]
    assert 74 - A.mean() in at
    assert 102 - A.mean() not in at  # zip codes, not MNIST
    assert "n = 30 seeds each. mnist" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="no published number fits"):
        load("overview")(Published(sizes=(3920, 1080)))


def test_overview_shows_the_sources_of_a_crossed_design(tmp_path):
    rng = np.random.default_rng(1)
    crossed = {
        f"base,order_seed={k}" if k else "base": A + k + rng.normal(0, 3, 10).round() for k in range(4)
    }
    data = Published()
    data._runs = rows.runs(crossed)
    shown = texts(load("overview")(data))
    assert "other order" in shown
    assert "other initial weights" in shown


def load(name):
    from sweep.analysis.plots.plot import load_plot

    return load_plot(name)


def test_scaling_has_a_line_and_the_published_numbers():
    data = Published()
    small = rows.runs({"base": A * 2}, dataset="mnist,n_train=1000", sizes=(1000, 2007))
    data._runs = [*small, *rows.runs({"base": A})]
    figure = load("scaling")(data)
    assert "base: exponent 0.3" in figure.legends[0].get_texts()[0].get_text()
    assert "C: Chang" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="two numbers of training digits"):
        load("scaling")(Published())


def test_sources_has_a_bar_for_every_component():
    data = Published()
    data._runs = [
        r
        for order in range(3)
        for r in rows.runs({f"base,order_seed={order}" if order else "base": A + order})
    ]
    figure = load("sources")(data)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        "init (10)", "order (3)", "init x order (10 x 3)",
    ]  # fmt: skip
    assert [bar.get_width() for bar in figure.axes[0].patches][1] == pytest.approx(1)
    assert figure.axes[0].get_title("right") == "base on mnist, n = 30"
    assert "2,007 test digits" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="sources needs crossed runs"):
        load("sources")(Published())


@pytest.mark.parametrize("name", ["raincloud", "ecdf", "reproductions"])
def test_a_users_numbers_are_plotted(name, tmp_path):
    (tmp_path / "mine.csv").write_text("source,variant,split,misses\nZoe's port,base,test,141\n")
    without = load(name)(Published())
    figure = load(name)(Published(), numbers=str(tmp_path / "mine.csv"))
    assert figure.axes[0].get_xlim()[1] > max(141, without.axes[0].get_xlim()[1])
    assert "Zoe's port" in figure.get_supxlabel() + texts(figure)


def test_scatter_has_equal_axes(store):
    for ax in make_plot(store, "scatter").axes:
        assert ax.get_xlim() == ax.get_ylim()
        assert ax.get_aspect() == 1


def test_panels_share_their_axes(store):
    for name in ("histogram", "running"):
        axes = make_plot(store, name).axes
        assert len({ax.get_xlim() for ax in axes}) == len({ax.get_ylim() for ax in axes}) == 1


def test_the_range_of_curves_fits_the_test_error(store):
    figure = make_plot(store, "curves")
    lowest = min(ax.lines[0].get_ydata().min() for ax in figure.axes)
    assert figure.axes[0].get_ylim()[0] > lowest / 5
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["test: median", "25–75 % of seeds", "5–95 %", "train: median"]


def test_heatmap_labels_rows_by_misses_and_diverged_seeds_stand_out(store):
    figure = make_plot(store, "heatmap")
    panels = [ax for ax in figure.axes if ax.images]
    assert len(panels) == 3
    finals = sorted(WRONG["base"].sum(1))
    shown = [text.get_text() for text in panels[0].get_yticklabels()]
    assert (shown[0], shown[-1]) == (str(finals[0]), str(finals[-1]))
    assert panels[1].get_yticklabels()[-1].get_text() == "diverged"
    red, green, blue, _ = panels[1].images[0].get_cmap().get_bad()
    assert red == green == blue  # a grey, which viridis does not contain
    image = panels[0].images[0]
    assert image.norm.vmax <= WRONG["base"].sum(1).max() + 9  # late epochs set the scale


def test_densities_need_seeds_and_are_not_cut_off():
    many, few = Published(), Published()
    few._runs = rows.runs({"base": A[:6]})
    figure = load("raincloud")(many)
    fill = figure.axes[0].collections[0].get_paths()[0].vertices
    left = fill[fill[:, 0] == fill[:, 0].min()]
    assert np.ptp(left[:, 1]) < 0.02  # the density starts near zero
    densities = [
        c for c in load("raincloud")(few).axes[0].collections if len(c.get_paths()[0].vertices) > 100
    ]
    assert not densities


def test_the_legend_of_many_long_names_stays_within_the_figure():
    many = Published()
    many._runs = rows.runs({f"softmax,learning_rate=0.00{i}": A + i for i in range(1, 10)})
    figure = load("ecdf")(many)
    to_bytes(figure, "png")
    legend, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.width
    assert legend.y0 >= axes.y1


def test_a_figure_of_too_many_variants_is_refused():
    many = Published()
    many._runs = rows.runs({f"softmax,learning_rate=0.{i:03d}": A for i in range(1, 50)})
    with pytest.raises(ValueError, match="too many variants for one figure: select some by --variants"):
        load("raincloud")(many)


def test_letters_of_close_numbers_are_written_together():
    [text] = {t.get_text() for t in load("raincloud")(Published()).axes[0].texts if "O" in t.get_text()}
    assert text.startswith("OT")  # 97 and 98


def test_ensemble_omits_votes_of_two(store):
    for line in make_plot(store, "ensemble").axes[0].lines:
        assert list(line.get_xdata())[:2] == [1, 3]


def test_variance_shows_intervals_and_negative_estimates(store):
    figure = make_plot(store, "variance")
    assert any("interval" in text.get_text() for text in figure.legends[0].get_texts())
    assert figure.axes[0].containers


def test_gallery_names_the_digits_and_is_full(store):
    figure = make_plot(store, "gallery")
    titles = [ax.get_title() for ax in figure.axes if ax.images]
    assert len(titles) == 40
    assert all(title.startswith("#") and "→" in title for title in titles)


def test_a_variant_has_its_colour_in_every_figure():
    both = looks([rows.cell("base"), rows.cell("softmax")])
    assert looks([rows.cell("softmax")]) == both[1:]
    grid = [rows.cell("base,epochs=4"), rows.cell("base,epochs=5")]
    assert len({look.colour for look in looks(grid)}) == 2


def test_place_has_a_visible_interval_and_its_variants_colour():
    runs = rows.runs({"softmax": A})[0]
    figure = place(runs, "test", 74)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "10 seeds of softmax",
        "new seed, 95 % interval",
        "this run: 74",
    ]
    bar = figure.axes[0].patches[0].get_facecolor()
    assert bar[:3] == pytest.approx([0xD5 / 255, 0x5E / 255, 0], abs=0.01)


def test_one_seed_and_seeds_that_agree_are_drawn_too(tmp_path):
    one = stored(tmp_path / "one", {"base": WRONG["base"][:1], "softmax": WRONG["base"][[0, 0, 0, 0]]})
    for name in ("curves", "ecdf", "raincloud", "heatmap", "best-epoch", "histogram", "running"):
        to_bytes(make_plot(one, name), "png")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("running", "needs 3 runs"),
        ("histogram", "needs 2 runs"),
        ("scatter", "two variants with two runs each"),
        ("variance", "needs two runs"),
    ],
)
def test_too_few_runs_get_a_clear_line(tmp_path, name, line):
    one = stored(tmp_path / "one", {"base": WRONG["base"][:1]})
    with pytest.raises(ValueError, match=line):
        make_plot(one, name)


def test_variants_without_common_seeds_have_no_scatter(tmp_path):
    stored(tmp_path / "apart", {"base": WRONG["base"]})
    apart = stored(tmp_path / "apart", {"softmax": WRONG["softmax"]}, first_seed=90)
    with pytest.raises(ValueError, match="no two variants share seeds"):
        make_plot(apart, "scatter")


def test_the_suffix_chooses_the_format():
    assert [figure_format(f"a.{kind}") for kind in ("png", "SVG", "pdf")] == ["png", "svg", "pdf"]
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg, \.pdf"):
        figure_format("forest.jpg")


def test_bins_lie_between_whole_numbers():
    bins = whole_bins([np.array([3.0, 4, 9]), np.array([20.0, 21])])
    assert all(edge % 1 == 0.5 for edge in bins)
    assert bins[0] < 3
    assert bins[-1] > 21


def test_captions_count_diverged_seeds(store):
    assert "1 diverged not shown" in make_plot(store, "ecdf").get_supxlabel()
    assert len(Selection(store).runs()[1].diverged) == 1
