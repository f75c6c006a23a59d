#!/usr/bin/python3
"""Runs a command as packaging/systemd/rapporteur.service.in lets the daemon run, on machines without systemd, too: with the
unit's umask, limits, capabilities (none), new privileges (none), system calls and address families, as another user, and with
every file system read-only but /tmp, which is a new one.

    as_service.py COMMAND...                everything but the filter of system calls, as nobody; needs root
    as_service.py --root DIR COMMAND...     everything, after chroot(2), as the unit's user, with its folders of state
                                            writable in the place of a new /tmp; needs root
    as_service.py --calls-only COMMAND...   the filter of system calls and address families alone

Without systemd-analyze, which knows what is in @system-service, or libseccomp the command is not run: exit code 125.
"""

import argparse
import ctypes
import os
import pathlib
import pwd
import re
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "systemd" / "rapporteur.service.in"
NOT_RUN = 125

_CLONE_NEWNS, _MS_PRIVATE, _MS_REC = 0x20000, 1 << 18, 1 << 14
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 32, 4096
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_LAST_CAPABILITY = 63
_ACT_ALLOW, _ACT_ERRNO = 0x7FFF0000, 0x00050000
_CMP_EQ, _CMP_MASKED_EQ = 4, 7
_PROT_WRITE, _PROT_EXEC = 2, 4

_ALLOWED = "RAPPORTEUR_ALLOWED_CALLS"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def read_unit(path=UNIT):
    """Values of the unit's section [Service], by key; a key may have several."""
    settings = {}
    section = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "Service" and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings.setdefault(key, []).append(value)
    return settings


# File systems


def _mount(source, target, kind, flags, data=None):
    encoded = [None if text is None else str(text).encode() for text in (source, target, kind, data)]
    _check(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def _mounts_below(root):
    """Mount points at and below a folder, with their options."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        if point == root or root == "/" or point.startswith(root + "/"):
            yield point, fields[5].split(",")


def _make_read_only(root, writable):
    """As ProtectSystem=strict does: everything but /dev, /proc and /sys."""
    if root != "/":
        _mount(root, root, None, _MS_BIND | _MS_REC)
    for folder in writable:
        _mount(folder, folder, None, _MS_BIND)
    for point, options in list(_mounts_below(root)):
        inside = "/" + os.path.relpath(point, root)
        if inside.startswith(("/dev", "/proc", "/sys")) or point in writable:
            continue
        kept = (_MS_NOSUID if "nosuid" in options else 0) | (_MS_NODEV if "nodev" in options else 0)
        _mount(None, point, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def enter_file_systems(root, writable):
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, "/", None, _MS_PRIVATE | _MS_REC)
    _make_read_only(root, writable)
    if root == "/":
        _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")
    else:
        _mount("proc", root + "/proc", "proc", 0)
        os.chroot(root)
        os.chdir("/")


# The process


def become(name, unit):
    """The user, without what root may do beyond it."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.initgroups(user.pw_name, user.pw_gid)
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)
    for key, kind in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitRTPRIO", resource.RLIMIT_RTPRIO)):
        most = resource.getrlimit(kind)[1]  # a container may not allow more
        limit = int(unit[key][0]) if most == resource.RLIM_INFINITY else min(int(unit[key][0]), most)
        resource.setrlimit(kind, (limit, limit))
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    os.umask(int(unit["UMask"][0], 8))
    os.environ["HOME"] = user.pw_dir


# System calls


def _set_of_calls(name):
    """Names in one of systemd's sets, and in those that it is made of."""
    said = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    calls = set()
    for line in said.stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= _set_of_calls(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed_calls(unit):
    """Names; also left in the environment, since asking for them takes a while."""
    if _ALLOWED in os.environ:
        return set(os.environ[_ALLOWED].split())
    allowed = set()
    for value in unit["SystemCallFilter"]:
        for word in value.lstrip("~").split():
            calls = _set_of_calls(word) if word.startswith("@") else {word}
            allowed = allowed - calls if value.startswith("~") else allowed | calls
    if unit["RestrictNamespaces"] == ["yes"]:
        allowed -= {"setns", "unshare"}
    os.environ[_ALLOWED] = " ".join(sorted(allowed))
    return allowed


class _Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """What seccomp allows, from now on and in every process that this one becomes."""

    def __init__(self, library, unit):
        self.library = library
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.refused = _ACT_ERRNO | 1  # EPERM, as SystemCallErrorNumber says
        self.context = ctypes.c_void_p(self.library.seccomp_init(self.refused))
        self.unit = unit

    def _rule(self, action, call, *compared):
        number = self.library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # of another architecture
        array = (_Compare * len(compared))(*compared)
        result = self.library.seccomp_rule_add_array(self.context, action, number, len(compared), array)
        if result != 0:
            raise OSError(-result, f"seccomp_rule_add_array: {call}")

    def load(self, allowed):
        for call in sorted(allowed - {"socket", "mmap", "mprotect", "pkey_mprotect"}):
            self._rule(_ACT_ALLOW, call)
        families = self.unit["RestrictAddressFamilies"][0].split()
        for family in {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}.items():
            if family[0] in families:
                self._rule(_ACT_ALLOW, "socket", _Compare(0, _CMP_EQ, family[1], 0))
        # MemoryDenyWriteExecute: nothing is writable and executable, nothing becomes executable later.
        for written in (0, _PROT_WRITE):
            self._rule(_ACT_ALLOW, "mmap", _Compare(2, _CMP_MASKED_EQ, _PROT_WRITE | _PROT_EXEC, written))
        self._rule(_ACT_ALLOW, "mmap", _Compare(2, _CMP_MASKED_EQ, _PROT_WRITE | _PROT_EXEC, _PROT_EXEC))
        for call in ("mprotect", "pkey_mprotect"):
            self._rule(_ACT_ALLOW, call, _Compare(2, _CMP_MASKED_EQ, _PROT_EXEC, 0))
        result = self.library.seccomp_load(self.context)
        if result != 0:
            raise OSError(-result, "seccomp_load")


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--root", default="/")
    parser.add_argument("--calls-only", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    unit = read_unit()
    root = os.path.realpath(options.root)
    try:
        library = ctypes.CDLL("libseccomp.so.2")
        allowed = allowed_calls(unit)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"as_service.py: {error}", file=sys.stderr)
        return NOT_RUN
    if not options.calls_only:
        folders = [f"{root}/var/lib/{unit['StateDirectory'][0]}", f"{root}/run/{unit['RuntimeDirectory'][0]}"]
        enter_file_systems(root, folders if root != "/" else [])
        become(unit["User"][0], unit)
    if options.calls_only or root != "/":
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
        Filter(library, unit).load(allowed)
    if "LISTEN_FDS" in os.environ:
        os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp(options.command[0], options.command)


if __name__ == "__main__":
    sys.exit(main())
