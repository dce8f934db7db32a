"""Run a command and print how much memory it took: python -I peak.py <command>.

The last line has the seconds and the bytes of the largest process. It is a process of its own
because Linux counts what the one that starts another held when it did.
"""

import os
import subprocess
import sys
import time

started = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
unit = 1 if sys.platform == "darwin" else 1024
print(time.perf_counter() - started, used.ru_maxrss * unit)
sys.exit(os.waitstatus_to_exitcode(status))
