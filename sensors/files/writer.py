"""Whether anybody on this machine has a file open for writing."""

from __future__ import annotations

import os
import signal
import sys

if sys.platform == "linux":
    import fcntl

    def open_for_writing(path: str) -> bool | None:
        """Asks the kernel; None if it does not tell us.

        A read lease is granted only if nobody has the file open for writing. It is given back at
        once. The kernel grants one to the file's owner, or with CAP_LEASE; not every file system
        has them. A writer who opens the file in that instant waits for it, some microseconds.
        Cost: five system calls.
        Source: fcntl(2), "Leases".
        """
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except BlockingIOError:
            return True
        except OSError:
            return None
        try:
            # A broken lease sends a signal: not SIGIO, which would end the process, but one that
            # is ignored unless somebody asked for it.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:
            return None
        finally:
            os.close(file)
        return False

else:

    def open_for_writing(path: str) -> bool | None:
        """Only Linux tells."""
        return None
