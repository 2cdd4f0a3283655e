"""What XLA launches on a GPU: the parsing of its dump, and the programs of `vmap` for an H100 that is not present."""

from importlib.util import find_spec

import pytest

from benchmarks.gpu import thunks
from benchmarks.gpu.__main__ import figures
from model.engines import WIDEST_BLOCK
from model.variants import VARIANTS

needs_cuda = pytest.mark.skipif(
    find_spec("jax_cuda12_plugin") is None,
    reason="jax[cuda12] is not installed: python -m pip install -e '.[cuda]'",
)
MOST_OPERATIONS = 36  # of an update; grouped convolutions need 37 to 60

DUMP = """\
000: kCommandBuffer [source       | next=012 (1)]
    001: kCopy         [source | sink] kCopy
    002: kCustomKernel [source | sink] wrapped_transpose grid: [3072, 1, 1]
012: kWhile         [prev=000 (1) | next=041 (1)]
condition:
    013: kCustomKernel [source | sink] loop_compare_fusion grid: [1, 1, 1]
  body:
    014: kDynamicSliceFusion [source       | next=016 (1)] params=1, results=1
        015: kCopy [source | sink] kCopy
    000: kCommandBuffer      [prev=016 (1) | sink        ]
        018: kCustomKernel [source        | next=020 (2)] loop_tanh_fusion grid: [3072, 1, 1]
        019: kCustomKernel [source        | next=021 (2)] loop_transpose_fusion grid: [1536, 1, 1]
    030: kWhile [prev=000 (1) | sink]
    condition:
        031: kCustomKernel [source | sink] loop_compare_fusion grid: [1, 1, 1]
      body:
        032: kCustomKernel [source | sink] loop_add_fusion grid: [1, 1, 1]
041: kCustomKernel  [prev=012 (1) | sink        ] loop_transpose_fusion_2 grid: [3072, 1, 1]
"""


def test_the_operations_of_a_loop_are_those_of_its_body() -> None:
    program = thunks.read(DUMP)
    assert [thunk.kind for thunk in program.inner] == ["CommandBuffer", "While", "CustomKernel"]
    outer, inner = program.loops()
    assert [len(loop.inner) for loop in (outer, inner)] == [3, 1]
    assert [operation.kind for operation in outer.operations()[:2]] == ["Copy", "CustomKernel"]


@needs_cuda
@pytest.mark.slow
@pytest.mark.parametrize("part", ["training", "evaluation"])
@pytest.mark.parametrize("name", VARIANTS)
def test_an_update_is_a_command_buffer_without_cudnn(name: str, part: str) -> None:
    program = figures(name, part, WIDEST_BLOCK)
    assert program.cudnn == 0
    assert program.operations <= MOST_OPERATIONS
    assert program.launches <= 6
    assert program.temporaries < 2**30
    assert program.seconds < 60
