"""A supervised process is known to be ready, and is stopped with its children, and nobody else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drills.supervisor import StartError, SupervisedProcess, answers_http, pick_free_port
from drills.waiting import wait_until

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
SLEEPER = "import time; print('asleep', flush=True); time.sleep(60)"
STUBBORN_PARENT = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
print("child", child.pid, flush=True)
child.wait()
while True:
    signal.pause()
"""


def supervise(source: str, folder: Path, *, name: str = "server", stop_timeout_s: float = 5.0) -> SupervisedProcess:
    return SupervisedProcess(
        [sys.executable, "-c", source],
        name=name,
        environment={},
        folder=folder,
        log_path=folder / f"{name}.log",
        stop_timeout_s=stop_timeout_s,
    )


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.startswith("Z")


def child_pid(log_path: Path) -> int:
    words = wait_until(lambda: log_path.read_text().split(), timeout_s=5, what="the child's pid in the log")
    return int(words[words.index("child") + 1])


def test_early_end_shows_log(tmp_path: Path) -> None:
    """A server that ends instead of becoming ready fails with its status and the end of its log."""
    server = supervise("print('port taken'); raise SystemExit(7)", tmp_path)
    server.start()

    with pytest.raises(StartError, match=r"server ended with status 7(?s:.)*port taken"):
        server.wait_ready(lambda: False, timeout_s=10)


def test_silent_server_is_stopped(tmp_path: Path) -> None:
    """A server that never becomes ready is stopped, and its log is shown."""
    server = supervise(SLEEPER, tmp_path)
    server.start()
    pid = server.pid

    with pytest.raises(StartError, match=r"server ready: not within 1 s(?s:.)*asleep"):
        server.wait_ready(lambda: False, timeout_s=1)

    assert not exists(pid)


def test_stop_ends_children_and_nobody_else(tmp_path: Path) -> None:
    """A group that ignores the polite signal is killed with its children; another process lives on."""
    with supervise(SLEEPER, tmp_path, name="other") as other:
        stubborn = supervise(STUBBORN_PARENT, tmp_path, stop_timeout_s=0.2)
        stubborn.start()
        pids = [stubborn.pid, child_pid(stubborn.log_path)]

        stubborn.stop()

        wait_until(lambda: not any(map(exists, pids)), timeout_s=5, what="the group is gone")
        assert other.is_running


def test_paused_process_can_be_stopped(tmp_path: Path) -> None:
    """A frozen process answers nothing, answers again when resumed, and can be stopped politely while frozen."""
    port = pick_free_port()
    server = supervise(
        "import http.server, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended politely'))\n"
        f"http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()",
        tmp_path,
    )
    with server:
        server.wait_ready(lambda: answers_http(port, "/"), timeout_s=10)
        server.pause()
        answered_while_paused = answers_http(port, "/")
        server.resume()
        wait_until(lambda: answers_http(port, "/"), timeout_s=10, what="answers again")
        server.pause()

    assert not answered_while_paused
    assert not server.is_running
    assert "ended politely" in server.log_path.read_text()


def test_restart_appends_to_log(tmp_path: Path) -> None:
    """A process can be started again; its log keeps both runs."""
    server = supervise("print('ran')", tmp_path)

    for _ in range(2):
        server.start()
        wait_until(lambda: server.exit_status == 0, timeout_s=10, what="ended")
        server.stop()

    assert server.log_path.read_text() == "ran\nran\n"


def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    """When the supervising process is killed outright, its children are stopped all the same."""
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib; from drills.supervisor import SupervisedProcess\n"
            f"folder = pathlib.Path({str(tmp_path)!r})\n"
            f"server = SupervisedProcess([sys.executable, '-c', {SLEEPER!r}], name='server', environment={{}},\n"
            "    folder=folder, log_path=folder / 'server.log')\n"
            "server.start(); (folder / 'pid.part').write_text(str(server.pid))\n"
            "(folder / 'pid.part').rename(folder / 'pid'); time.sleep(60)",
        ]
    )
    wait_until((tmp_path / "pid").exists, timeout_s=10, what="the supervisor has started its child")
    pid = int((tmp_path / "pid").read_text())
    existed = exists(pid)

    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()

    wait_until(lambda: not exists(pid), timeout_s=10, what="the child is gone")
    assert existed


def test_the_leash_ends_with_the_interpreter(tmp_path: Path) -> None:
    """No warning of a process that still runs, and what nobody stopped is gone when the interpreter has ended."""
    script = f"""
from pathlib import Path
from tests.drills.test_supervisor import SLEEPER, supervise
folder = Path({str(tmp_path)!r})
with supervise(SLEEPER, folder, name="stopped"):
    pass
forgotten = supervise(SLEEPER, folder, name="forgotten")
forgotten.start()
print(forgotten.pid)
forgotten._process.returncode = 0  # so that only the leash can be what Python warns of
"""
    command = [sys.executable, "-W", "always", "-c", script]
    ended = subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True, timeout=60)

    assert ended.stderr == ""
    assert not exists(int(ended.stdout))


def test_ports_come_once_and_from_where_nobody_else_takes_them() -> None:
    """Linux gives ports from 32768 on to outgoing connections, one of which could take a server's port before it."""
    ports = [pick_free_port() for _ in range(200)]

    assert len(set(ports)) == 200
    assert max(ports) < 32_768
