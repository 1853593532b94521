"""`python -m simulators`."""

import os
import sys

from simulators.cli import main

code = main()
sys.stdout.flush()
sys.stderr.flush()
# A thread may still hang in a connect to a broker that does not answer; at a usual end Python would wait
# for it, and Ctrl-C must end within 3 s.
os._exit(code)
