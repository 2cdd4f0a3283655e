"""Classify the exceptions with which Ray reports a failed task."""

from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskUnschedulableError,
    WorkerCrashedError,
)

from sweep.executors.retry import Fault

_LOST = NodeDiedError | ObjectLostError | RayActorError | TaskUnschedulableError | WorkerCrashedError


def fault_of(error: RayError) -> Fault:
    """Class of a fault. Out of memory on the host or on an accelerator means too many seeds."""
    if isinstance(error, OutOfMemoryError):
        return "memory"
    if isinstance(error, RayTaskError):
        cause = error.cause
        return "memory" if isinstance(cause, MemoryError) or "RESOURCE_EXHAUSTED" in str(cause) else "error"
    return "lost" if isinstance(error, _LOST) else "error"


def name_of(error: RayError) -> str:
    """Name of the exception that the task raised, or of Ray's own."""
    return type(error.cause if isinstance(error, RayTaskError) else error).__name__
