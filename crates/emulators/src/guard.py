"""Runs one emulator until whoever started it is gone.

Usage: guard.py MODULE FUNCTION ARGUMENT...; calls FUNCTION of MODULE with the arguments as a command line. A test that
is killed cannot stop what it started; its end of the pipe on standard input closes all the same, and then this ends its
process group: itself, and the Lambda functions that the emulator runs.
"""

import importlib
import os
import signal
import sys
import threading


def end_with_the_starter() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


module, function = sys.argv[1:3]
sys.argv = [module, *sys.argv[3:]]
threading.Thread(target=end_with_the_starter, daemon=True).start()
sys.exit(getattr(importlib.import_module(module), function)())
