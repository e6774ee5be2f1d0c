"""Who starts it: configuration, command line, Prefect. The only room that imports prefect."""

import os

# By default torch's idle threads spin while they wait; on a machine that does anything else besides, that makes a
# small model up to thirty times slower. It must be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
