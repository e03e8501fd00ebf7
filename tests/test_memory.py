"""Freed memory: kept within a run, returned before the next."""

import subprocess
import sys

import pytest

from headstart.memory import keep_freed_memory, return_freed_memory

SCRIPT = """
import numpy, psutil
from headstart.memory import keep_freed_memory, return_freed_memory
memory = lambda: psutil.Process().memory_info().rss / 2**20
if {keeps}:
    keep_freed_memory()
before = memory()
blocks = [numpy.ones(2**21) for _ in range(8)]  # 16 MiB each
del blocks
freed = memory() - before
return_freed_memory()
print(freed, memory() - before)
"""


def measure(keeps):
    code = SCRIPT.format(keeps=keeps)
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in output.split()]


class TestFreedMemory:
    @pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
    def test_kept_until_it_is_returned(self):
        after_freeing, after_returning = measure(keeps=True)
        assert after_freeing > 100 and after_returning < 30
        assert measure(keeps=False)[0] < 30

    def test_without_glibc_nothing_happens(self, monkeypatch):
        monkeypatch.setattr("headstart.memory._load_glibc", lambda: None)
        keep_freed_memory()
        return_freed_memory()
