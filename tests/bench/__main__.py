"""The benchmarks one after another:  python -m tests.bench [ingest] [fanout] [history] [first_reading]

Each is a process of its own; what it takes is told by  python -m tests.bench.NAME --help.
"""

import argparse
import subprocess
import sys
from typing import Final

BENCHMARKS: Final = ("ingest", "fanout", "history", "first_reading")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench", description="Measures; prints figures, no verdicts.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(BENCHMARKS)}")
    names: list[str] = parser.parse_args().names
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    failed = 0
    for name in names or BENCHMARKS:
        print(f"\n=== {name}", flush=True)
        failed += bool(subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False).returncode)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
