"""How often a process that serves looks for garbage that refers to itself.

Python looks after every 700 new objects, and a request makes some thousands that nearly all end by their counts. With
Django, its models and the rules' parser loaded, that was an eighth of what a bid costs the web process
(docs/decisions/0054).
"""

import gc

# New objects between two looks at the young ones: a few requests, some megabytes. What survives ten such looks is
# looked at again, what survives those ten times as seldom again, as Python has it.
OBJECTS = 20_000


def settle() -> None:
    """Pass over what has been loaded, for it stays, and look less often. Called once a process, before it forks."""
    gc.freeze()
    gc.set_threshold(OBJECTS, 10, 10)
