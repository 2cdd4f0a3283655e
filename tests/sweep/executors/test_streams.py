"""The end of a stream without an error."""

from ray.exceptions import WorkerCrashedError

from model.variants import variant
from sweep.executors.faults import fault_of
from sweep.executors.retry import Attempt
from sweep.executors.streams import InFlight, Streams
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell, Shard

SHARD = Shard(Cell(variant("base"), "mnist5k", "d" * 64, 40), range(4))


def ended(finished: bool) -> tuple[list[tuple[Attempt, object]], Streams]:
    """What is received from a stream that ends, as Ray's does when the node of its task ends."""
    streams = Streams({}, "auto", SeedRanges(), 0.0, lambda shard: None, lambda: None)
    stream = iter(())
    streams._tasks[stream] = InFlight(Attempt(SHARD), None, started=True, finished=finished)
    return list(streams.receive([stream])), streams


def test_a_stream_that_ends_before_its_shard_is_finished_is_a_lost_worker():
    ((attempt, error),), streams = ended(finished=False)
    assert isinstance(error, WorkerCrashedError)
    assert fault_of(error) == "lost"
    assert attempt.shard == SHARD
    assert len(streams) == 0


def test_the_end_of_a_finished_shard_is_no_message():
    received, streams = ended(finished=True)
    assert received == []
    assert len(streams) == 0
