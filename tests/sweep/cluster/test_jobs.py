"""The places of submitted sweeps in the queue of their root."""

from hypothesis import given
from hypothesis import strategies as st

from sweep.cluster.jobs import Job, in_turn


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-1, 1), st.booleans()), max_size=12))
def test_places_count_the_waiting_jobs_of_each_root_by_priority_and_age(drawn):
    jobs = [
        Job(f"job-{i}", "RUNNING", root, "", float(i), None, priority)
        for i, (root, priority, _) in enumerate(drawn)
    ]
    waiting = {job.name for job, (*_, waits) in zip(jobs, drawn, strict=True) if waits}
    found = in_turn(jobs, waiting)
    assert [job.name for job in found if not job.waiting] == [j.name for j in jobs if j.name not in waiting]
    assert all(job.waiting for job in found[len(jobs) - len(waiting) :])
    for root in "ab":
        queue = [job for job in found if job.waiting and job.root == root]
        assert [job.waiting for job in queue] == list(range(1, len(queue) + 1))
        assert [(-job.priority, job.began) for job in queue] == sorted(
            (-job.priority, job.began) for job in queue
        )
