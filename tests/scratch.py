"""A pytest plugin: the tests' own data directory, made before settings are read and removed at the end.

Whoever runs tests may have a demo in `var/`, or settings of the hub in the environment.
"""

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

for name in [name for name in os.environ if name.startswith("HUB_")]:
    del os.environ[name]
os.environ["HUB_DATA_DIR"] = tempfile.mkdtemp(prefix="hub-tests-")
# How long one example takes says how busy the machine is; speed is measured in tests/bench.
settings.register_profile("hub", deadline=None)
settings.load_profile("hub")

atexit.register(shutil.rmtree, os.environ["HUB_DATA_DIR"], ignore_errors=True)
