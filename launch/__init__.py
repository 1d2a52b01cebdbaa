"""Start what the project runs on: PostgreSQL and Valkey from Python packages, and the processes of the demo.

Words it owns: state (a folder of this project's own that holds servers' data, logs and secrets), child (a process
started here), throw-away (state that lives as long as one command).

It imports nothing of Django and nothing of the product: the demo talks to the product over HTTP and by commands.
"""
