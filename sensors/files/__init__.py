"""Files that arrive, whole, once each.

Two watchers give hints: `closings` (inotify: closed, renamed into place, removed) and `stirrings`
(watchfiles: something changed; on other systems than Linux, everything). A hint leads to a look
(`tree`), a look is compared with the `ledger`, what differs is announced when it is complete
(`completion`). A regular `walk` over the tree does the same for everything: it is the guarantee,
the watchers only make it quick. `session` is the loop, `running` the sensor around it.
"""

from sensors.files.arrivals import FileArrivals
from sensors.files.file import File

__all__ = ["File", "FileArrivals"]
