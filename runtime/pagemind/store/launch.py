"""Starts one of PostgreSQL's programs, as a script of its own: ``python -I -S launch.py MODE UID LOG PROGRAM ARGUMENT...``.

PostgreSQL refuses to run as root, and in a container people are root. MODE says what to do about it: ``direct`` nothing;
``namespace`` enter a user namespace in which this user shows as uid 1000, so that every file stays this user's;
``drop`` become UID. With a LOG other than ``-`` the program is left running by itself, in a session of its own (a Ctrl+C in
the terminal does not reach it), with its output in LOG, and its process id is printed.

A script of its own since a forked child of a process full of threads may safely do hardly more than ``exec``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
NO_NAMESPACE = 75
"""Exit status: user namespaces are not to be had here."""
INSIDE_ID = 1000


def enter_namespace() -> None:
    """Become uid 1000 of a new user namespace, which is still this user outside of it (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INSIDE_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INSIDE_ID} {gid} 1")


def drop_to(uid: int) -> None:
    """Become the unprivileged user ``uid`` for good."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def detach(log: str) -> None:
    """Go on as a child in a session of its own, with output appended to ``log``; the parent prints the child's id."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    child = os.fork()
    if child:
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 64)


def main(mode: str, uid: str, log: str, program: str, *arguments: str) -> None:
    """Never returns: it becomes the program, or exits."""
    if log != "-":
        detach(log)
    os.umask(0o077)
    if mode == "namespace":
        try:
            enter_namespace()
        except (OSError, AttributeError) as error:
            sys.stderr.write(f"no user namespace: {error}\n")
            sys.exit(NO_NAMESPACE)
    elif mode == "drop":
        drop_to(int(uid))
    os.execv(program, [program, *arguments])  # noqa: S606 - becoming the program is what this script is for


if __name__ == "__main__":
    main(*sys.argv[1:])
