"""Which file systems do not say what other machines do to them."""

from __future__ import annotations

import os
import re

_TABLE = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

# FUSE is judged by what is behind it: most are remote, `fuseblk` (a local disk) is not.
_SILENT = re.compile(
    r"nfs.*|cifs|smb.*|9p|afs|ceph|coda|gfs2?|glusterfs|lustre|ncpfs|ocfs2|gpfs|beegfs|drvfs"
    r"|virtiofs|vboxsf|vmhgfs|prl_fs|fuse|fuse\..*"
)


def silent_filesystem(path: str) -> str | None:
    """The kind of file system `path` is on, if changes made elsewhere are not reported here."""
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            kind = filesystem(os.path.realpath(path), table.read())
    except OSError:
        return None
    return kind if kind and _SILENT.fullmatch(kind) else None


def filesystem(path: str, mounts: str) -> str | None:
    """The kind of the file system that holds an absolute path, by the text of `mountinfo`.

    The longest mount point wins, and of equal ones the last, which covers the others.
    Source: proc_pid_mountinfo(5).
    """
    best, kind = -1, None
    for line in mounts.splitlines():
        left, found, right = line.partition(" - ")
        fields = left.split(" ")
        if not found or len(fields) < 5:
            continue
        point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), right.split(" ")[0]
    return kind
