"""Waking: no call is lost, and many are one."""

import threading

from batchsched.daemon.wake import Wake


def test_a_call_before_the_wait_is_not_lost() -> None:
    wake = Wake()
    wake()
    wake()
    wake.wait(3600.0)
    wake.wait(0.0)  # both were taken in
    assert wake._calls.empty()


def test_another_thread_wakes_who_waits() -> None:
    wake = Wake()
    thread = threading.Thread(target=wake)
    thread.start()
    wake.wait(3600.0)
    thread.join()


def test_a_time_in_the_past_does_not_wait() -> None:
    Wake().wait(-1.0)
