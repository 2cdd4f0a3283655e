"""Simulated workers on a virtual clock. They fail at random, and messages may be late or duplicated."""

import heapq
import random
from collections.abc import Callable, Iterator

import numpy as np

from sweep.executors.retry import Attempt, Fault, after_fault
from sweep.messages import Finished, Message, Progress, Started
from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata
from sweep.worker import checkpoint
from sweep.worker.checkpoint import Checkpoint
from sweep.worker.measure import Measured, epochs_table, labels_table

DIGITS = 50  # per split


def train(shard: Shard, resume_from: bytes | None, saves: Callable[[], bool]) -> Iterator[Message]:
    """Like `sweep.worker.worker.run_shard`, but a hash replaces training, so that the rows of every seed differ.

    Args:
      shard: variant and seeds.
      resume_from: a checkpoint of this shard, or arbitrary bytes.
      saves: returns whether the message of an epoch carries a checkpoint.
    """
    variant = shard.cell.variant
    salt = np.uint64(int(variant.digest[:15], 16) ^ int(shard.cell.dataset_digest[:15], 16))
    fresh = {"state": np.array(shard.seeds, np.uint64) + salt}
    at = checkpoint.load(resume_from, fresh, shard.name) if resume_from else None  # type: ignore[arg-type]
    epoch, states, rows = at or Checkpoint(0, fresh, [])  # type: ignore[arg-type]
    state = states["state"]  # type: ignore[call-overload]
    yield Started(epoch, "simulated", "none", None)
    while epoch < variant.epochs:
        epoch += 1
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407 + epoch)
        finite = (state >> np.uint64(33)) % np.uint64(23) != 0
        misses = ((state >> np.uint64(40)) % np.uint64(DIGITS)).astype(np.int32)
        loss = (state >> np.uint64(20)).astype(np.float32)
        rows = [
            *rows,
            Measured(loss, misses, loss / 2, misses // 2, finite & (rows[-1].finite if rows else True)),
        ]
        content = None
        if saves():
            content = checkpoint.dump(Checkpoint(epoch, {"state": state}, rows), shard.name)  # type: ignore[arg-type]
        yield Progress(epoch, [], content)
    predictions = np.repeat((state % np.uint64(10)).astype(np.int8)[:, None], DIGITS, axis=1)
    margins = predictions.astype(np.float16) / 8
    rates = [variant.learning_rate] * variant.epochs
    yield Finished(
        epochs_table(variant, shard.cell.dataset, shard.seeds, rows, rates, DIGITS, DIGITS),
        labels_table(variant, shard.cell.dataset, shard.seeds, predictions, rows[-1].finite, margins),
        FileMetadata(
            variant=variant.to_stored(),
            variant_digest=variant.digest,
            dataset={"name": shard.cell.dataset, "n_train": DIGITS, "n_test": DIGITS},
            dataset_digest=shard.cell.dataset_digest,
            first_seed=shard.seeds.start,
            last_seed=shard.seeds[-1],
            epochs=variant.epochs,
            engine="simulated",
            device="none",
            code="simulation",
            versions={},
            started="1989-12-01T00:00:00",
            seconds=0.0,
        ),
    )


class Workers:
    """An executor with simulated workers, for `sweep.driver.driver.train`."""

    def __init__(self, generator: random.Random, trouble: float) -> None:
        """trouble: probability that a worker fails between two messages."""
        self.random = generator
        self.trouble = trouble
        self.faults = 0

    def __call__(
        self, shards: list[Shard], resume_from: Callable[[Shard], bytes | None]
    ) -> Iterator[tuple[Shard, Message]]:
        """Yield messages in order of arrival."""
        clock, order = 0.0, 0
        slots = self.random.randint(1, 4)
        waiting = [Attempt(shard) for shard in shards]
        running: list[tuple[float, int, Attempt, Iterator[Message]]] = []
        post: list[tuple[float, int, Shard, Message]] = []

        def send(attempt: Attempt, message: Message, at: float) -> None:
            nonlocal order
            for _ in range(1 + (self.random.random() < self.trouble)):
                order += 1
                late = self.random.uniform(0, 100) if self.random.random() < self.trouble else 0.0
                heapq.heappush(post, (at + late, order, attempt.shard, message))

        while waiting or running or post:
            for attempt in [a for a in waiting if a.not_before <= clock][: slots - len(running)]:
                waiting.remove(attempt)
                stream = train(attempt.shard, resume_from(attempt.shard), lambda: self.random.random() < 0.4)
                order += 1
                heapq.heappush(running, (clock + self.random.random(), order, attempt, stream))
            times = [queue[0][0] for queue in (running, post) if queue]
            if len(running) < slots:
                times += [a.not_before for a in waiting]
            clock = max(clock, min(times))
            if post and post[0][0] <= clock:
                _, _, shard, message = heapq.heappop(post)
                yield shard, message
            elif running and running[0][0] <= clock:
                _, _, attempt, stream = heapq.heappop(running)
                if self.random.random() < self.trouble:
                    self.faults += 1
                    fault: Fault = self.random.choices(["lost", "memory", "own"], [6, 2, 1])[0]
                    again, outcome = after_fault(fault, fault, "Traceback", attempt, clock)
                    waiting += again
                    send(attempt, outcome, clock)
                elif (message := next(stream, None)) is not None:
                    send(attempt, message, clock)
                    order += 1
                    heapq.heappush(running, (clock + self.random.random(), order, attempt, stream))
