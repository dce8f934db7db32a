"""Run a command and print its peak memory: python -I peak.py <command>.

The last line has the seconds, and the peak memory of the largest process in bytes. This is a
separate small process, because Linux counts the memory of the process that starts the command.
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
