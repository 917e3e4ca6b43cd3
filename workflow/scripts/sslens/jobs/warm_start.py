"""TensorFlow is loaded once for all jobs of a run on this machine that have a network.

To load it takes longer than many of these jobs have to do. So the workflow starts a process that
loads it at the first job's request, and that makes a copy of itself (a fork) for each job; the copy
runs the job's script. The process that Snakemake started for the job waits for its copy, passes
signals on, and ends as the copy does. Nothing has been computed before the copy is made, so the
numbers are those of a process of the job's own.

A job loads TensorFlow itself where there is no such process: on a cluster, with a TensorFlow that
can use a GPU, with an environment of its own, in a workflow that uses this one as a module, with
`--no-hooks`, or where it has ended; and where files of the library or the installed packages have
changed since the run began.

If the waiting process dies, its copy is killed; if the process that makes copies dies, all copies
are. That process ends after the run, and not before its last copy.
"""

import atexit
import ctypes
import gc
import io
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from sslens.jobs import environment
from sslens.jobs.loaded_code import times_of_files

#: Variable of the jobs of a run, in JSON: the Python that makes copies, and the path of its socket.
WARM = "SSLENS_WARM"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STREAMS = (0, 1, 2)
SECONDS_TO_REQUEST = 10.0
SECONDS_TO_LOAD = 300.0  # TensorFlow, from a slow disk too
LOG = ".snakemake/log/warm_start.log"  # what is written while TensorFlow is loaded
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent ends


class Job(NamedTuple):
    """What makes a copy the process that Snakemake started, for a script.

    Args:
        arguments: those of Python, the path of the script first.
        path: where modules are found.
        folder: it works in.
        variables: of the environment.
        ignored: signals that are ignored.
        streams: file descriptors of the standard input, output and error.
    """

    arguments: list[str]
    path: list[str]
    folder: str
    variables: dict[str, str]
    ignored: list[int]
    streams: Sequence[int] = ()


_started: list[subprocess.Popen] = []  # open until the process that reads the workflow has ended


# --- in the process that reads the workflow -------------------------------------------------------


def start(script: str | Path, threads: int) -> None:
    """Start the process that makes copies, and name it to the jobs that this process starts.

    It ends when this process has ended, in whatever way. Only Linux has what it needs.

    Args:
        script: that serves.
        threads: of linear algebra, as for `process.start`.
    """
    if sys.platform != "linux":
        return
    variables = dict(os.environ)
    environment.settle(variables)
    try:
        path = Path(tempfile.mkdtemp(prefix="sslens-"), "socket")
        atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
        Path(LOG).parent.mkdir(parents=True, exist_ok=True)
        with open(LOG, "w") as log:
            server = subprocess.Popen(
                [sys.executable, "-P", str(script), str(path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=variables | environment.threads(threads) | {"CUDA_VISIBLE_DEVICES": "-1"},
                start_new_session=True,  # signals of a terminal are for the waiting processes
            )
    except OSError:  # jobs can do without
        return
    _started.append(server)
    os.environ[WARM] = json.dumps([sys.executable, str(path)])


# --- in a process that Snakemake started for a job ------------------------------------------------


def continue_in_copy() -> None:
    """Go on in a copy of the process that has loaded TensorFlow, where there is one.

    It returns in the copy, and where there is none. The process that called it otherwise waits for
    the copy and ends as it does.
    """
    python, path = json.loads(os.environ.pop(WARM, "") or "[null, null]")
    if python != sys.executable:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        # what comes meanwhile is for the copy, or for this process if there is none
        signal.pthread_sigmask(signal.SIG_BLOCK, (*SIGNALS, signal.SIGTSTP))
        try:
            server.settimeout(SECONDS_TO_LOAD)
            server.connect(path)
            _send_job(server)
            answers = server.makefile("r")
            copy = int(answers.readline())
            server.settimeout(None)
            _pass_signals_on(copy)
        except (OSError, ValueError):  # it has ended, or makes no copy for this job
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (*SIGNALS, signal.SIGTSTP))
        end = answers.readline()
    _end(int(end) if end else -signal.SIGKILL)


def _pass_signals_on(copy: int) -> None:
    """Pass signals on to a copy; when this process is made to stop and go on, so is the copy."""

    def stop(_number, _frame):
        _send_signal(copy, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)

    actions = {
        **dict.fromkeys(SIGNALS, lambda number, _: _send_signal(copy, number)),
        signal.SIGTSTP: stop,
        signal.SIGCONT: lambda number, _: _send_signal(copy, number),
    }
    for number, action in actions.items():
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, action)


def _send_job(server: socket.socket) -> None:
    ignored = [int(number) for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
    job = Job(sys.argv, sys.path, str(Path.cwd()), dict(os.environ), ignored, STREAMS)
    socket.send_fds(server, [b"."], job.streams)
    server.sendall(json.dumps(job._asdict()).encode() + b"\n")


def _send_signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _end(code: int) -> NoReturn:
    """End this process with a return code as `subprocess` gives it: negative for a signal."""
    if code < 0:
        with suppress(OSError):  # of SIGKILL
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


# --- in the process that makes copies -------------------------------------------------------------


class Server:
    """Makes a copy of this process for every job that requests one."""

    def __init__(self, path: str):
        """Listen at a socket of this path, for as long as the standard input is open."""
        # a signal for all processes is for the copies, which save what they have done
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._path, self._loadable = Path(path), loadable()
        self._clients: dict[int, socket.socket] = {}  # copy -> the process that waits for it
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(f"{path}.new")
        self._listener.listen()
        Path(f"{path}.new").rename(path)  # whoever finds it is answered
        self._events = selectors.DefaultSelector()
        self._when_ready(STREAMS[0], self._stop_listening)
        self._when_ready(self._listener, self._answer)
        self._is_listening = True

    def _when_ready(self, file: Any, action: Callable[[], "Job | None"]) -> None:
        self._events.register(file, selectors.EVENT_READ, action)

    def serve(self) -> "Job | None":
        """Wait for jobs until the run has ended, and then for the last copy.

        Returns:
            In each copy its job, and None at the end.
        """
        while self._is_listening or self._clients:
            for key, _ in self._events.select():
                if job := key.data():
                    return job
        return None

    def _stop_listening(self) -> None:
        self._events.unregister(STREAMS[0])
        self._events.unregister(self._listener)
        self._listener.close()
        shutil.rmtree(self._path.parent, ignore_errors=True)
        self._is_listening = False

    def _answer(self) -> "Job | None":
        """Make a copy for a job that requests one; where that fails, other copies go on."""
        if not self._is_listening:  # the run has ended at the same moment
            return None
        client: socket.socket | None = None
        streams: list[int] = []
        try:
            client, _ = self._listener.accept()
            client.settimeout(SECONDS_TO_REQUEST)
            _, streams, _, _ = socket.recv_fds(client, 1, len(STREAMS))
            with client.makefile("r") as words:
                job = Job(**json.loads(words.readline()) | {"streams": streams})
            if len(streams) != len(STREAMS) or loadable() != self._loadable:
                raise ValueError("the job has to load TensorFlow itself")
            _load()
            if self._is_copy(client):
                return job
        except Exception:
            traceback.print_exc()
            if client:
                client.close()
        for stream in streams:
            os.close(stream)
        return None

    def _is_copy(self, client: socket.socket) -> bool:
        """Fork, and watch for the ends of the copy and of its client; whether this is the copy."""
        server, copy = os.getpid(), os.fork()
        if not copy:
            try:
                self._events.close()
                for end in (self._listener, client, *self._clients.values()):
                    end.close()
                _die_with(server)
            except BaseException:  # or the copy would answer jobs, too
                os._exit(1)
            return True
        try:
            handle = os.pidfd_open(copy)
            self._when_ready(handle, partial(self._ended, copy, handle))
            self._when_ready(client, partial(self._lost, copy))
        except OSError:
            _send_signal(copy, signal.SIGKILL)
            os.waitpid(copy, 0)
            raise
        self._clients[copy] = client
        with suppress(OSError):
            client.sendall(f"{copy}\n".encode())
        return False

    def _lost(self, copy: int) -> None:
        """Kill a copy that nothing waits for any more."""
        if client := self._clients.get(copy):
            self._events.unregister(client)
            _send_signal(copy, signal.SIGKILL)

    def _ended(self, copy: int, handle: int) -> None:
        _, status = os.waitpid(copy, 0)
        self._events.unregister(handle)
        os.close(handle)
        client = self._clients.pop(copy)
        with suppress(OSError):
            client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        with suppress(KeyError):
            self._events.unregister(client)
        client.close()


def loadable() -> tuple[dict[Path, float], set[Path]]:
    """What Python would load: the library's files with their times, and the installed packages."""
    folders = (path for path in map(Path, sys.path) if path.is_dir())
    packages = {path for folder in folders for path in folder.glob("*.dist-info")}
    return times_of_files(Path(__file__).parent.parent), packages


def _load() -> None:
    """Load what all jobs with a network load, and nothing that only some of them need."""
    from sslens.jobs.tensorflow_setup import load_tensorflow  # a process that waits needs it not

    for name in ("snakemake.iocontainers", "snakemake.logging"):
        import_module(name)
    load_tensorflow()
    gc.freeze()  # or a collection would write to memory that the copies share


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has died meanwhile
        os._exit(1)


# --- in a copy ------------------------------------------------------------------------------------


def run(job: Job) -> None:
    """Run the script of a job in this process, as Python runs one that it is started with."""
    for stream, own in zip(job.streams, STREAMS, strict=True):
        os.dup2(stream, own)
        os.close(stream)
    for number in SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in job.ignored else usual)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.variables)
    sys.argv[:], sys.path[:] = job.arguments, job.path
    tempfile.tempdir = None  # that of the job's variables
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(STREAMS[1]))
    script = Path(job.arguments[0])
    main = types.ModuleType("__main__")
    main.__file__ = str(script)
    sys.modules["__main__"] = main
    exec(compile(script.read_bytes(), script, "exec"), vars(main))
