"""The TPU compiler's estimates: their parsing, and the limits of the engine pallas.

The limits are checked by compiling for chips that are not present. That needs libtpu and takes minutes.
"""

from importlib.util import find_spec

import pytest

from benchmarks.lowering import TEST, TRAIN
from benchmarks.tpu import hlo, schedule
from benchmarks.tpu.__main__ import figures
from benchmarks.tpu.sweep_time import Job, makespan
from model.variants import VARIANTS

needs_libtpu = pytest.mark.skipif(
    find_spec("libtpu") is None, reason="libtpu is not installed: python -m pip install -e '.[tpu]'"
)
MOST_CYCLES = {"base": 125, "softmax": 125, "adamw": 200, "augment": 200, "dropout": 200}  # of an update

BUNDLES = """
     0   :  { %1 = vst [vmem:[#allocation2] sm:$0xff] %v1  ;;  %s9 = smov 0 }
   0x1 LB: > { %s3 = sadd.s32 1, %s2 /* copy */  ;;  %v2 = vadd.f32 %v1, %v1 }
   0x2 LB: >> { %v3 = vmul.f32 %v2, %v2  ;;  %v4 = vld [vmem:[%s1]]  ;;  %p5_p0 = scmp.ge.s32.totalorder %s4_s1, 7 /*
 loop exit */ }
   0x3   : >> { %220 = sbr.rel (!%p5_p0) target = $region1 }
   0x4   : >> { %s5 = smov 1 }
   0x5   : >> { %s5 = smov 1 }
   0x6   : >> { %s5 = smov 1 }
   0x7   : >> { %v6 = vsel %vm1, %v2, %v3 }
   0x8   : > { %p8_p1 = scmp.ge.s32.totalorder %s3_s1, %s99_s2  ;;  %v7 = vtanh.f32 %v1 }
   0x9   : > { %221 = sbr.rel (!%p8_p1) target = $region2 }
   0xa   : > { %s5 = smov 1 }
   0xb   : > { %s5 = smov 1 }
   0xc   : > { %s5 = smov 1 }
   0xd   : > { %s5 = smov 1 }
   0xe   :  { %s5 = smov 1 }
"""

HLO = """
%body.1 (p: f32[2]) -> f32[2] {
  %a = f32[2] fusion(%p), backend_config={"estimated_cycles":"10"}
  ROOT %b = f32[2] fusion(%a), backend_config={"estimated_cycles":"5"}
}
%cond.1 (p: (s32[], f32[2])) -> pred[] {
  %n = s32[]{:T(128)} constant(7)
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}
ENTRY %main (p: f32[2]) -> f32[2] {
  %c = f32[2] copy(%p), backend_config={"estimated_cycles":"100"}
  ROOT %w = f32[2] while(%c), condition=%cond.1, body=%body.1
}
"""


def test_a_bundle_counts_once_for_each_trip_of_its_loops() -> None:
    kernel = schedule.read(BUNDLES)
    assert len(kernel.bundles) == 15
    loop = kernel.example_loop()
    assert [inner.trips for inner in loop.inner] == [7]
    assert kernel.cycles(loop) == 7 + 7 * 6
    assert kernel.valu_operations(loop) == 1 + 7 * 2


def test_estimated_cycles_count_once_for_each_trip() -> None:
    estimates = hlo.Estimates(HLO)
    assert estimates.cycles == 100 + 7 * 15
    assert estimates.kernels == 2


def test_the_longest_jobs_come_first() -> None:
    assert makespan([Job("a", 1.0)] * 7 + [Job("b", 3.0), Job("c", 2.0)]) == 3.0
    assert makespan([Job("a", 1.0)] * 17) == 3.0


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize("chip", ["v5e", "v6e"])
@pytest.mark.parametrize("name", VARIANTS)
def test_pallas_keeps_to_its_limits(name: str, chip: str) -> None:
    training, evaluation = (figures("pallas", name, chip, part, 1024) for part in ("training", "evaluation"))
    assert training.per_replica <= MOST_CYCLES[name]
    assert (TRAIN + TEST) * evaluation.cycles <= TRAIN * training.cycles / 2
    for program in (training, evaluation):
        assert program.seconds < 60
        assert program.hbm < 2**30
