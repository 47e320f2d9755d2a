"""The command line: the composition root, the only room that knows all the others.

One file a group of commands; each is imported when it is called, so that `reactor --help` and the
small commands do not pay for the large ones.
"""

from reactor.cli.app import main

__all__ = ["main"]
