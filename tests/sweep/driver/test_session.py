"""The sweeps of one session share an executor."""

import ray

from sweep.driver.session import Session
from sweep.messages import Observer
from sweep.settings import Settings
from sweep.store.store import Store
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec


class Recorder(Observer):
    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)


def test_sweeps_of_a_session_share_one_ray_and_its_workers(tmp_path):
    first, second = small_spec(variants="base", set={"epochs": 1}), small_spec(seeds="0:2", set={"epochs": 2})
    recorder, store = Recorder(), Store(str(tmp_path / "ray"))
    with Session(Settings(executor="ray", workers=1)) as session:
        session.run(first, store, recorder)
        job = ray.get_runtime_context().get_job_id()
        session.run(second, store, recorder)
        assert ray.get_runtime_context().get_job_id() == job
        session.run(second, store, recorder)
    assert not ray.is_initialized()
    assert recorder.phases == ["starting Ray and loading mnist5k", "loading mnist5k"]
    for spec in (first, second):
        run_inline(tmp_path / "inline", spec)
    assert_same_rows(rows(tmp_path / "ray"), rows(tmp_path / "inline"))
