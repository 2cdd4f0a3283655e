"""Compiles one program for a chip, which need not be present, and prints the compiler's estimates as a line of JSON.

`python -m benchmarks.tpu` runs it in a separate process, because libtpu reads the folder of its dumps on loading.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lowering import TEST, TRAIN, lower_vmap, shapes
from benchmarks.tpu import hlo, schedule
from benchmarks.tpu.chips import CHIPS, VALU_SLOTS

DUMP = "LECUN1989_TPU_DUMP"  # environment variable: folder of libtpu's dumps


@dataclass(frozen=True)
class Figures:
    """The compiler's estimates for one program."""

    engine: str
    variant: str
    chip: str
    part: str  # "training" or "evaluation"
    width: int  # replicas that a program trains at once
    kernels: int  # of an update, or of an evaluation step
    cycles: float  # of an update, or of an example, of `width` replicas
    valu: float | None  # share of the vector ALUs' slots that are filled; None: not known
    vmem: int | None  # bytes; None: not known
    hbm: int  # bytes, arguments and results included
    temporaries: int  # bytes of HBM for intermediate results
    seconds: float  # to compile

    @property
    def per_replica(self) -> float:
        return self.cycles / self.width


def compile_program(engine: str, name: str, chip: str, part: str, replicas: int) -> Figures:
    """Compile for a chip. Imports JAX."""
    from model.numerics import configure

    configure("cpu")
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(
        platform="tpu", topology_name=CHIPS[chip].topology, chips_per_host_bounds=(1, 1, 1)
    )
    device = topology.devices[0]
    lowered = (_lower_pallas if engine == "pallas" else lower_vmap)(name, part, replicas, device)
    began = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - began
    memory = compiled.memory_analysis()
    hbm = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    figures = partial(
        Figures,
        engine,
        name,
        chip,
        part,
        hbm=hbm - memory.alias_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        seconds=round(seconds, 1),
    )
    if engine == "vmap":
        estimates = hlo.Estimates(compiled.as_text())
        examples = TRAIN if part == "training" else TEST
        return figures(replicas, estimates.kernels, estimates.cycles / examples, None, None)
    from model.engines.pallas.program import Program
    from model.engines.pallas.tiles import TILE
    from model.engines.pallas.tiles import replicas as block
    from model.variants import VARIANTS

    kernel = "train_epoch" if part == "training" else "evaluate"
    dumps = Path(os.environ[DUMP]).glob(f"*{kernel}*-final_bundles.txt")
    bundles = schedule.read(next(d for d in dumps if "schedule-analysis" not in d.name).read_text())
    loop = bundles.example_loop()
    cycles = bundles.cycles(loop)
    program = (Program.training if part == "training" else Program.evaluation)(VARIANTS[name])
    share = bundles.valu_operations(loop) / (VALU_SLOTS * cycles)
    return figures(block(TILE), 1, cycles, round(share, 3), program.vector_memory())


def _lower_pallas(name: str, part: str, replicas: int, device: Any) -> Any:
    import jax

    from model.engines.pallas import kernels
    from model.engines.pallas.program import Program
    from model.engines.pallas.tiles import PARAMETER_TILES, TILE
    from model.engines.pallas.tiles import replicas as block
    from model.variants import VARIANTS

    shape = shapes(device)
    padded = -(-(TRAIN if part == "training" else TEST) // kernels.CHUNK) * kernels.CHUNK
    blocks = -(-replicas // block(TILE))
    examples = shape((1,), "int32"), shape((padded, 2, 128)), shape((1, padded), "int32")
    params = shape((blocks, PARAMETER_TILES, *TILE))
    if part == "evaluation":
        evaluate = jax.jit(partial(kernels.evaluate, Program.evaluation(VARIANTS[name])))
        return evaluate.lower(*examples, params)
    program = Program.training(VARIANTS[name])
    keys = shape((blocks, 4, *TILE), "uint32")
    train = jax.jit(partial(kernels.train, program), donate_argnums=5)
    return train.lower(*examples, shape((3, padded)), keys, [params] * len(program.states(TILE)))


if __name__ == "__main__":
    print(json.dumps(asdict(compile_program(*sys.argv[1:5], int(sys.argv[5])))))
