"""A Slurm of one node on this machine, with a stand-in for a GPU, for tests that need a cluster.

The daemons run by themselves, without systemd, in a folder of their own, and are stopped by their
process ids. What they are told stands where Slurm looks for it, /etc/slurm, since a job's step does
not keep the variable that would name another place: so it takes root, and a machine without a Slurm
of its own.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

CONFIGURATION = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
SLURM = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munged.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=localhost CPUs={cpus} RealMemory={memory} Gres=gpu:1
PartitionName=cpu Nodes=localhost Default=YES
PartitionName=gpu Nodes=localhost PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=localhost PriorityTier=2 PreemptMode=OFF
"""
GPU = "AutoDetect=off\nNodeName=localhost Name=gpu File=/dev/null\n"


def missing() -> str:
    """Why no cluster can be started here, in words; empty where one can."""
    if lacking := [program for program in PROGRAMS if not _find(program)]:
        return f"Slurm is missing ({', '.join(lacking)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "starting Slurm's daemons takes root"
    _forget_a_dead_cluster()
    if any((CONFIGURATION / name).exists() for name in FILES):
        return f"this machine has a Slurm of its own, or another test's is running: {CONFIGURATION}"
    return ""


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """A running cluster: partitions cpu, gpu, and urgent, whose jobs preempt those of gpu."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    facts = dict(re.findall(r"(\w+)=(\S+)", _run("slurmd", "-C")))
    told = SLURM.format(
        user=_run("id", "-un").strip(),
        folder=folder,
        controller=_free_port(),
        node=_free_port(),
        cpus=facts["CPUs"],
        memory=facts["RealMemory"],
    )
    links = {}
    for name, content in zip(FILES, (told, GPU), strict=True):
        (folder / name).write_text(content)
        links[CONFIGURATION / name] = folder / name
    try:
        CONFIGURATION.mkdir(exist_ok=True)
        for link, target in links.items():
            link.symlink_to(target)
        _start_munge(folder, key)
        _run("slurmctld", "-c")
        # its jobs, whose times are limited, come before other tests
        _run("nice", "-n", "-5", _find("slurmd"), "-N", "localhost")
        _wait_until_idle()
        yield
    finally:
        if shutil.which("scancel"):
            subprocess.run(["scancel", "--me"], check=False, capture_output=True)
        for name in ("slurmd", "slurmctld", "munged"):
            _stop(folder / f"{name}.pid")
        for link in links:
            link.unlink(missing_ok=True)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([_find(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _start_munge(folder: Path, key: Path) -> None:
    names = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    places = [f"--{option}={folder / f'munged.{name}'}" for option, name in names.items()]
    # a temporary folder may be writable by others, which munged refuses without --force
    _run("munged", "--force", f"--key-file={key}", *places)


def _wait_until_idle(seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while "idle" not in (state := _run("sinfo", "--noheader", "--format=%T")):
        assert time.monotonic() < end, f"the node is {state.strip()}, not idle"
        time.sleep(0.2)


def _forget_a_dead_cluster() -> None:
    """Remove the links of a test that was killed before it could."""
    for link in (CONFIGURATION / name for name in FILES):
        if link.is_symlink():
            controller = link.resolve().parent / "slurmctld.pid"
            if not controller.exists() or not _is_alive(int(controller.read_text())):
                link.unlink()


def _stop(pid_file: Path, seconds: float = 15) -> None:
    """Stop a daemon, and wait until it is gone; one that never started has no file."""
    if not pid_file.exists():
        return
    pid, end = int(pid_file.read_text()), time.monotonic() + seconds
    while _is_alive(pid):
        os.kill(pid, signal.SIGTERM if time.monotonic() < end else signal.SIGKILL)
        time.sleep(0.2)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which nobody waits for, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
