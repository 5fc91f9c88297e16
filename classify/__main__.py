"""`python -m classify`: the `darkmatter` command, where the package is not installed."""

import sys

from classify.cli import main

if __name__ == "__main__":
    sys.exit(main())
