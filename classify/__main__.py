"""`python -m classify`: the `darkmatter` command without an installed package."""

import sys

from classify.cli import main

if __name__ == "__main__":
    sys.exit(main())
