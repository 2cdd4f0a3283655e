"""Seeds and time of a sweep that was not run yet."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.planning import plan_seeds
from sweep.cluster.cost import cluster_costs, read_prices
from sweep.driver.estimate import estimate
from sweep.errors import SpecError
from sweep.spec.spec import parse
from sweep.store.store import Store
from tests.sweep.analysis.stored import stored
from tests.sweep.cli.command import sweep
from tests.sweep.small import DIGITS

CLUSTER = Path(__file__).parents[3] / "cluster.yaml"
SPEC = parse({"variants": "base,dropout", "seeds": "0:16", "dataset": DIGITS, "set": {"epochs": 1}})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "results"
    rng = np.random.default_rng(1)
    stored(
        path,
        {name: rng.random((12, 60)) < rate for name, rate in (("base", 0.3), ("dropout", 0.1))},
        epochs=1,
    )
    return path


def test_the_seeds_reach_the_power_in_a_simulation(root):
    answer = plan_seeds(SPEC, [Store(str(root))], find=2.0)
    sds = [cell.sd for cell in answer.cells]
    assert [cell.seeds_known for cell in answer.cells] == [12, 12]
    rng = np.random.default_rng(2)
    a = rng.normal(0, sds[0], (4000, answer.seeds))
    b = rng.normal(2.0, sds[1], (4000, answer.seeds))
    power = np.mean(stats.ttest_ind(a, b, axis=1).pvalue < 0.05)
    assert 0.77 < power < 0.84
    assert "12 seeds is uncertain" in answer.notes[0]


def test_the_half_width_is_reached_with_the_fewest_seeds(root):
    answer = plan_seeds(SPEC, [Store(str(root))], halfwidth=0.5)
    sd = max(cell.sd for cell in answer.cells)
    assert st.half_width(sd, answer.seeds) <= 0.5 < st.half_width(sd, answer.seeds - 1)


@pytest.mark.parametrize("goals", [{}, {"find": 1.0, "halfwidth": 1.0}, {"find": 0.0}, {"halfwidth": -1.0}])
def test_exactly_one_goal_above_zero(root, goals):
    with pytest.raises(ValueError, match="give one goal above 0"):
        plan_seeds(SPEC, [Store(str(root))], **goals)


def test_a_cell_without_a_known_spread_is_named(root):
    spec = SPEC.model_copy(update={"variants": ("base", "softmax")})
    with pytest.raises(
        ValueError, match=r"the spread of softmax,epochs=1 on mnist5k.* is unknown: train 8 seeds"
    ):
        plan_seeds(spec, [Store(str(root))], find=2.0)


def test_the_estimate_counts_missing_runs_and_uses_stored_times(root):
    store = Store(str(root))
    found = estimate(SPEC, store)
    assert found.runs == 2 * 4
    (per_run,) = {file.metadata.seconds / len(file.seeds) for file in store.files}
    assert found.device_seconds == pytest.approx(8 * per_run, rel=0.1)  # adamw is assumed to take longer
    assert found.wall_seconds(1) == pytest.approx(found.device_seconds)
    assert found.wall_seconds(1000) == pytest.approx(max(found.seconds.values()))
    assert found.source == f"measured in {root}"


def test_a_root_without_runs_uses_the_times_of_the_reference(tmp_path):
    found = estimate(SPEC, Store(str(tmp_path / "new")))
    assert found.runs == 32
    assert found.device_seconds > 0
    assert "the reference distribution on" in found.source
    assert not (tmp_path / "new").exists()


def test_hours_and_dollars_of_machines_with_cores():
    prices = read_prices(None) | {"n2-standard-16": 0.5}
    costs = cluster_costs(CLUSTER, prices, core_seconds=16 * 4 * 3600.0, longest=10.0, shards=1000)
    by_type = {cost.node_type: cost for cost in costs}
    assert by_type["cpu_16"].count == 4
    assert by_type["cpu_16"].hours == pytest.approx(1.0)
    assert by_type["cpu_16"].dollars == pytest.approx(4 * 0.5)
    assert by_type["tpu_v5e_8"].hours is None
    (few,) = [c for c in cluster_costs(CLUSTER, {}, 3600.0, 1800.0, shards=3) if c.node_type == "cpu_16"]
    assert (few.count, few.hours, few.dollars) == (1, 0.5, None)


@pytest.mark.parametrize("name", ["cluster.yaml", "docs/cluster-aws.yaml"])
def test_every_machine_of_the_cluster_files_has_a_price(name):
    costs = cluster_costs(CLUSTER.parent / name, read_prices(None), 3600.0, 1800.0, shards=3)
    assert {cost.machine for cost in costs} <= {*read_prices(None)}
    assert all(cost.dollars for cost in costs if cost.hours is not None)


@pytest.mark.parametrize("text", ["n2-standard-4: cheap", "n2-standard-4: -1", "- 3"])
def test_a_wrong_price_table_is_refused(tmp_path, text):
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"prices\.yaml"):
        read_prices(tmp_path / "prices.yaml")


def test_the_command_prints_seeds_time_and_price(root, tmp_path):
    (tmp_path / "my.yaml").write_text(json.dumps(SPEC.to_stored()))
    plan = ("plan", tmp_path / "my.yaml", "--find", 2, "--root", root, "--workers", 4)
    ended = sweep(*plan, "--cluster", CLUSTER)
    assert ended.code == 0, ended.err
    assert "To detect a difference of 2 misses between two variants with 80 % power" in ended.out
    assert "on 4 cores (measured in" in ended.out
    assert "n2-standard-16" in ended.out
    assert "hours of tpu_v5e_8, tpu_v6e_8, gpu_l4 are unknown: the stored times are of CPU cores" in ended.out
    (tmp_path / "prices.yaml").write_text("n2-standard-4: 0.2")
    ended = sweep(*plan, "--cluster", CLUSTER, "--prices", tmp_path / "prices.yaml")
    assert "dollars of n2-standard-16 are unknown: add the price per hour" in ended.out
    document = json.loads(sweep(*plan, "--json").out)
    assert document["runs"] == 2 * (int(document["seeds"][2:]) - 12)


def test_a_dry_run_prints_the_time(root, tmp_path):
    (tmp_path / "my.yaml").write_text(json.dumps(SPEC.to_stored()))
    out = sweep("run", tmp_path / "my.yaml", "--dry-run", "--root", root, "--workers", 3).out
    assert "8 of 32 runs would be trained" in out
    assert "core-hours, about 0:0" in out
    assert "on 3 cores" in out


def test_the_times_of_short_shards_do_not_count(root, monkeypatch):
    """They are mostly those of the start."""
    monkeypatch.setattr("sweep.driver.estimate.LONG", 11.0)
    assert "the reference distribution on" in estimate(SPEC, Store(str(root))).source
