"""What every operator should do, slowly and obviously, written from its docstring alone.

Nothing here expires, is capped, indexed or saved: it all lies in lists, and each answer is looked
for from scratch. That is allowed because the histories are honest: no event is older than its
sensor's word (`upto`) less the sensor's lateness.
"""
