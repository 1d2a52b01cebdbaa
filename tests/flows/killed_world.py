"""Epochs and jobs in a database that is not the tests' own and is killed meanwhile: one program makes and checks both.

`python -m tests.flows.killed_world` makes them in the database of DATABASE_URL. It answers a line with a line of JSON:
first by itself {whose job is paid next, whose epoch is paid last}; to `drain`, what is wrong with the jobs once all
have ended; to `check`, how many epochs there are and what is wrong with them.
"""

import json
import sys


def main():
    """Make the worlds, and do as told."""
    import django

    django.setup()
    from django.db import connection

    from subnets.models import Epoch
    from tests.flows import paid_epochs, paid_jobs

    owners = paid_epochs.founded()
    jobs = paid_jobs.founded()
    jobs.begin()
    connection.close()  # its server is about to be killed
    say([str(jobs.consumer), str(owners[-1])])
    for line in sys.stdin:
        match line.strip():
            case "drain":
                say(jobs.drained())
            case "check":
                say([Epoch.objects.count(), paid_epochs.faults()])


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
