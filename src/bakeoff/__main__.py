"""`python -m bakeoff`."""

import sys

from bakeoff.cli import main

if __name__ == "__main__":
    sys.exit(main())
