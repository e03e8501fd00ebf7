"""Tests of the map over items in threads."""

import threading

import pytest

from headstart.data.threads import BATCH_SIZE, thread_map


class TestThreadMap:
    @pytest.mark.parametrize("count", [0, 1, BATCH_SIZE, 10 * BATCH_SIZE + 3, 1000])
    def test_yields_all_results_in_order(self, count):
        assert list(thread_map(str, range(count), "counting")) == [str(i) for i in range(count)]

    def test_uses_each_core(self, monkeypatch):
        monkeypatch.setattr("os.cpu_count", lambda: 3)
        barrier = threading.Barrier(3, timeout=60)  # passes only where three threads wait at once
        assert len(list(thread_map(lambda _: barrier.wait(), range(3 * BATCH_SIZE), "waiting"))) == 3 * BATCH_SIZE

    def test_raises_what_the_function_raises(self):
        results = thread_map(lambda i: 1 // (90 - i), range(1000), "dividing")
        with pytest.raises(ZeroDivisionError):
            list(results)

    def test_computes_little_that_nobody_waits_for(self):
        seen = []
        results = thread_map(seen.append, range(100_000), "looking")
        next(results)
        results.close()
        assert len(seen) < 50_000
