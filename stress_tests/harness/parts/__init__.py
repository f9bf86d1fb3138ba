"""The measurements, in the order in which they are made.

Each module has NAME, TITLE, `seconds(size)` (what it is expected to take), `measure(run)`, which returns data for JSON,
`tables(data)`, which makes Markdown of them, and `aims(data)`.
"""

from . import connections, counts, dispatches, echo, idle, lag, levels, loops, nio, sanity, soak, task_echo, tasks, users

ALL = [sanity, counts, echo, levels, nio, connections, loops, task_echo, dispatches, tasks, users, idle, lag, soak]
