"""The only live loop: take what arrived, decide, record, carry out.

sensors ─▶ Intake ─▶ Host: receive, commit ─▶ Attempts (executors)
                                  └─▶ Newsroom (page, terminal), metrics, alerts
"""

from reactor.host.loop import Host, Options

__all__ = ["Host", "Options"]
