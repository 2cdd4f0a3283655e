"""Writes the reference distribution of the package from roots with finished runs.

python -m benchmarks.reference ROOT… [--out sweep/store/reference.parquet]
"""

import argparse
from pathlib import Path

from sweep.store import reference
from sweep.store.store import existing

PACKAGED = Path(reference.__file__).with_name(reference.FILE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the reference distribution of the package.")
    parser.add_argument(
        "roots", nargs="+", metavar="ROOT", help="of a run in several roots, the first counts"
    )
    parser.add_argument("--out", type=Path, default=PACKAGED, metavar="FILE")
    arguments = parser.parse_args()
    content = reference.encode([existing(root) for root in arguments.roots])
    arguments.out.write_bytes(content)
    runs = sum(len(file.seeds) for file in reference.decode(content).files)
    print(f"{arguments.out}: {runs:,} runs, {len(content):,} bytes")


if __name__ == "__main__":
    main()
