"""The chips that programs are compiled for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """One TensorCore; both chips have one."""

    topology: str  # as libtpu names it
    gigahertz: float


CHIPS = {
    # From JAX's peak of 197 Tflop/s in bfloat16 and its four matrix units of 128 × 128.
    "v5e": Chip("v5e:1x1", 1.5),
    # From 918 Tflop/s and two matrix units of 256 × 256; the number of units is less certain.
    "v6e": Chip("v6e:1x1", 1.75),
}
VALU_SLOTS = 4  # operations on whole registers that each of the chips can start per cycle
HOST_CHIPS = 8  # per host, for both kinds of chip
