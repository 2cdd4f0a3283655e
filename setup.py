"""Compiles the native library of the lanes engine during installation; everything else is in pyproject.toml.

The installation also succeeds without a C++ compiler. The engine then reports that the library is missing.
"""

import os
import runpy
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

SOURCES = Path("model", "engines", "lanes")
native: dict[str, Any] = runpy.run_path(str(SOURCES / "build.py"))


class BuildLibrary(build_ext):
    """Build an ordinary shared library instead of a Python extension module; it does not use the Python C API."""

    def build_extension(self, ext: Extension) -> None:
        library = Path(self.get_ext_fullpath(ext.name))
        library.parent.mkdir(parents=True, exist_ok=True)
        library.unlink(missing_ok=True)  # no outdated library remains if the compiler fails
        try:
            native["build"](library)
        except native["BuildError"] as error:
            raise CompileError(f"the lanes engine will be missing: {error}") from error

    def get_ext_filename(self, fullname: str) -> str:
        return os.path.join(*fullname.split(".")) + ".so"


setup(
    ext_modules=[Extension("model.engines.lanes.kernel", [], optional=True)],
    cmdclass={"build_ext": BuildLibrary},
)
