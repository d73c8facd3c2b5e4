"""Python imports this as it starts: tests have it on the path of the processes that they start.

Files are not forced to disk there, as in the tests' own process (see tests/conftest.py).
"""

import os

os.fsync = lambda _: None
