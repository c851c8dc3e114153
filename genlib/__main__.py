"""The command line, as `python -m genlib`."""

import sys

from .cli import main

sys.exit(main())
