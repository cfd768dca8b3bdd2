"""Which signals are held, and what one that has come does; in processes of their own."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted

ROOT = Path(__file__).parents[1]
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")

# Sends itself each signal, held and not held, and prints what comes of it.
EACH = f"""
import os, signal
from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted

for name in {NAMES}:
    number = getattr(signal, name)
    for context in (signals.held, signals.raised):
        try:
            with context():
                os.kill(os.getpid(), number)
                if context is signals.held:
                    signals.check()
            print(name, "ignored")
        except Interrupted as error:
            print(name, error.status)
        except KeyboardInterrupt:
            print(name, "KeyboardInterrupt")
"""


def run(*ignored: signal.Signals) -> list[str]:
    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    done = subprocess.run(
        [sys.executable, "-c", EACH], cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=ignore
    )
    return done.stdout.splitlines()


def test_a_signal_that_has_come_interrupts() -> None:
    assert run() == [
        *("SIGINT 130", "SIGINT KeyboardInterrupt"),
        *("SIGTERM 143", "SIGTERM 143", "SIGHUP 129", "SIGHUP 129", "SIGUSR1 138", "SIGUSR1 138"),
    ]


def test_a_signal_stops_between_two_items() -> None:
    """The item during whose computation it comes is not given."""

    def items() -> Iterator[int]:
        yield 1
        signal.raise_signal(signal.SIGUSR1)
        yield 2

    given = []
    with pytest.raises(Interrupted) as caught:
        for item in signals.checked(items()):
            given.append(item)
    assert (given, caught.value.status) == ([1], 128 + signal.SIGUSR1)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_what_was_ignored_at_the_start_stays_ignored() -> None:
    lines = run(signal.SIGHUP, signal.SIGUSR1)
    assert lines[4:] == ["SIGHUP ignored"] * 2 + ["SIGUSR1 ignored"] * 2
    assert lines[:4] == ["SIGINT 130", "SIGINT KeyboardInterrupt", "SIGTERM 143", "SIGTERM 143"]


# Sends a signal to a thread that does not block it, as MindSpore's threads in a notebook do not.
ELSEWHERE = """
import signal, threading, time
from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted

done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
before = signal.getsignal(signal.SIGTERM)
with signals.held():
    signal.pthread_kill(thread.ident, signal.SIGTERM)
    time.sleep(0.1)
    print(signals.take().name, signals.take())
print(signal.getsignal(signal.SIGTERM) is before)
with signals.held():
    with signals.held():
        signal.pthread_kill(thread.ident, signal.SIGINT)
        time.sleep(0.1)
    try:
        signals.check()
    except Interrupted as error:
        print(error.status)
try:
    with signals.held():
        signal.pthread_kill(thread.ident, signal.SIGINT)
        time.sleep(0.1)
except KeyboardInterrupt:
    print("afterwards as before")
done.set()
"""


def test_a_signal_that_another_thread_takes_is_held_as_well() -> None:
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["SIGTERM None", "True", "130", "afterwards as before"], done.stderr


# Waits for a signal in the place of a verb.
WAITING = """
import sys, time, types
from mindcv_shufflenet import cli
verb = types.SimpleNamespace(run=lambda parsed: (print("waiting", flush=True), time.sleep(60)))
sys.modules["mindcv_shufflenet.commands.models"] = verb
sys.exit(cli.main(["models", "*"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_stopped_says_so_in_one_line(number: signal.Signals) -> None:
    command = [sys.executable, "-c", WAITING]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert error.startswith("stopped")
    assert error.count("\n") == 1


def test_a_terminal_that_is_closed_gives_status_129() -> None:
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", WAITING])
    output = b""
    while b"waiting\r\n" not in output:  # the whole line: its writing would fail on a closed terminal
        output += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 129


def test_a_signal_that_another_thread_has_taken_is_not_waited_for() -> None:
    """It may go between the look for it and its taking, as MindSpore's threads do not block it in a notebook."""
    code = """
import signal
from mindcv_shufflenet import signals
seen = iter([{signal.SIGUSR1}, set()])
signal.sigpending = lambda: next(seen)
with signals.held():
    print(signals.take())
    seen = iter([set()])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.stdout == "None\n", done.stderr
