"""A job in a copy of a process that has loaded TensorFlow is as it is in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from paths import LIBRARY

from sslens.jobs import warm_start

SERVER = """
import sys
sys.path.insert(0, {library!r})
from sslens.jobs import warm_start
warm_start._load = lambda: sys.modules.update(loaded=sys)
if job := warm_start.Server(sys.argv[1]).serve():
    warm_start.run(job)
"""
#: What every script with a network begins with; it then says whether it is in a copy.
JOB = """
import os, signal, sys, time
sys.path.insert(0, {library!r})
from sslens.jobs import warm_start
warm_start.continue_in_copy()
print("copy" if "loaded" in sys.modules else "own", os.getpid(), flush=True)
"""
NAMES = {"library": str(LIBRARY.parent)}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of installed packages."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def server(tmp_path, packages, monkeypatch):
    """A process that makes copies of itself, and has loaded a stand-in for TensorFlow."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "server.py"
    script.write_text(SERVER.format(**NAMES))
    monkeypatch.setenv(warm_start.WARM, "")
    monkeypatch.setattr(warm_start, "_started", started := [])
    warm_start.start(script, threads=1)
    (process,) = started
    wait_for(socket_path().exists)
    yield process
    process.stdin.close()
    process.wait(60)
    shutil.rmtree(socket_path().parent, ignore_errors=True)  # where a test has killed it


def socket_path():
    _, path = json.loads(os.environ[warm_start.WARM])
    return Path(path)


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def start(folder, code, *arguments, **variables):
    """Start a job, and wait until it says where it runs: the process, the word, its number."""
    script = folder / "job.py"
    script.write_text(JOB.format(**NAMES) + textwrap.dedent(code))
    process = subprocess.Popen(
        [sys.executable, script, *arguments],
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    where, number = process.stdout.readline().split()
    return process, where, int(number)


def is_running(number):
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def test_a_script_in_a_copy_sees_what_it_would_see_in_its_own_process(server, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    code = """
    import atexit, json
    atexit.register(print, "the end", flush=True)
    main = sys.modules["__main__"]
    print(json.dumps({
        "arguments": sys.argv, "folder": os.getcwd(), "file": __file__, "name": __name__,
        "variable": os.environ["MINE"], "warm": os.environ.get(warm_start.WARM),
        "names": vars(main) is globals(), "path": list(dict.fromkeys(sys.path)),
        "input": sys.stdin.read(),
        "signals": [str(signal.getsignal(n)) for n in warm_start.SIGNALS],
    }), flush=True)
    print("an error", file=sys.stderr)
    sys.exit(3)
    """
    seen = {}
    for variable in (os.environ[warm_start.WARM], ""):
        variables = {"MINE": "mine", warm_start.WARM: variable}
        process, where, _ = start(folder, code, "--option", **variables)
        seen[where] = *process.communicate("the input"), process.returncode
    out, error, code = seen["copy"]
    assert (error, code) == ("an error\n", 3)
    assert '"the input"' in out and out.endswith("the end\n")
    assert seen["copy"] == seen["own"]


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("pass", 0),
        ("raise ValueError('wrong')", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
    ],
)
def test_a_job_ends_as_its_copy_does(server, tmp_path, code, end):
    process, where, _ = start(tmp_path, code)
    _, error = process.communicate()
    assert (where, process.returncode) == ("copy", end)
    assert ("ValueError: wrong" in error) == (end == 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_for_a_job_is_one_for_its_copy(server, tmp_path, number):
    code = """
    def stop(number, _):
        print("stopped by", number)
        sys.exit(1)
    for number in warm_start.SIGNALS:
        signal.signal(number, stop)
    print("ready", flush=True)
    time.sleep(60)
    """
    process, where, _ = start(tmp_path, code)
    assert (where, process.stdout.readline()) == ("copy", "ready\n")
    process.send_signal(number)
    out, _ = process.communicate()
    assert (out, process.returncode) == (f"stopped by {number:d}\n", 1)


def test_a_signal_that_a_job_ignores_is_ignored_in_its_copy(server, tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process, where, copy = start(tmp_path, "sys.stdin.read(); print('to its end')")
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    os.kill(copy, signal.SIGINT)
    out, _ = process.communicate("")
    assert (where, out, process.returncode) == ("copy", "to its end\n", 0)


def test_a_job_that_is_made_to_stop_and_go_on_does_so_in_its_copy(server, tmp_path):
    process, _, copy = start(tmp_path, "sys.stdin.read()")

    def is_stopped(number):
        return psutil.Process(number).status() == psutil.STATUS_STOPPED

    process.send_signal(signal.SIGTSTP)
    wait_for(lambda: is_stopped(copy) and is_stopped(process.pid))
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: not is_stopped(copy))
    process.communicate("")
    assert process.returncode == 0


def test_a_signal_for_all_processes_is_for_the_copies(server, tmp_path):
    code = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print("ready", flush=True)
    time.sleep(60)
    """
    process, where, copy = start(tmp_path, code)
    assert (where, process.stdout.readline()) == ("copy", "ready\n")
    server.send_signal(signal.SIGTERM)
    os.kill(copy, signal.SIGTERM)
    process.communicate()
    assert (process.returncode, server.poll()) == (7, None)


def test_a_job_after_another_package_was_installed_loads_for_itself(server, packages, tmp_path):
    for expected in ("copy", "own"):
        process, where, _ = start(tmp_path, "pass")
        process.communicate()
        assert where == expected
        (packages / "keras-99.dist-info").mkdir(exist_ok=True)


def test_a_copy_whose_job_was_killed_is_killed_and_no_other_one(server, tmp_path):
    one, _, first = start(tmp_path, "time.sleep(60)")
    other, _, second = start(tmp_path, "sys.stdin.read()")
    one.kill()
    wait_for(lambda: not is_running(first))
    assert is_running(second)
    other.communicate("")
    assert other.returncode == 0


def test_where_the_process_that_makes_copies_is_killed_jobs_fail_and_the_next_load_for_themselves(
    server, tmp_path
):
    process, _, copy = start(tmp_path, "time.sleep(60)")
    server.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    wait_for(lambda: not is_running(copy))
    process, where, _ = start(tmp_path, "pass")
    process.communicate()
    assert (where, process.returncode) == ("own", 0)


def test_after_the_run_its_last_copies_go_on_and_nothing_is_left(server, tmp_path):
    process, where, _ = start(tmp_path, "sys.stdin.read(); print('to its end')")
    server.stdin.close()
    wait_for(lambda: not socket_path().parent.exists())
    later, elsewhere, _ = start(tmp_path, "pass")
    later.communicate()
    assert (where, elsewhere, server.poll()) == ("copy", "own", None)
    out, _ = process.communicate("")
    assert (out, process.returncode, server.wait(60)) == ("to its end\n", 0, 0)


@pytest.mark.parametrize("python", ["", "/usr/bin/python9"])
def test_a_job_of_another_python_loads_for_itself(server, tmp_path, python):
    variable = json.dumps([python, str(socket_path())])
    process, where, _ = start(tmp_path, "pass", **{warm_start.WARM: variable})
    process.communicate()
    assert (where, process.returncode) == ("own", 0)


@pytest.mark.parametrize("sent", [b"", b".", b".no words\n", b".null\n", b".{}\n"])
def test_an_incomplete_request_gets_no_copy_and_disturbs_no_other(server, tmp_path, sent):
    socket = warm_start.socket
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path()))
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    process, where, _ = start(tmp_path, "pass")
    process.communicate()
    assert (where, process.returncode) == ("copy", 0)
