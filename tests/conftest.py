"""Set up before any test is imported."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# Machines that run tests are shared: how long an example takes says nothing.
settings.register_profile("genlib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("genlib")

# `python -m pytest` puts the repository's root on the path, where kernels/ would pass for another project's
# package of that name, which transformers looks for. The tests need the installed genlib only.
ROOT = Path(__file__).parent.parent
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != ROOT]
