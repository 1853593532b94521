"""A pytest plugin: the tests' own data directory, made before settings are read and removed at the end.

Whoever runs tests may have a demo in `var/`, or settings of the hub in the environment.
"""

import atexit
import os
import shutil
import tempfile

for name in [name for name in os.environ if name.startswith("HUB_")]:
    del os.environ[name]
os.environ["HUB_DATA_DIR"] = tempfile.mkdtemp(prefix="hub-tests-")
atexit.register(shutil.rmtree, os.environ["HUB_DATA_DIR"], ignore_errors=True)
