"""Miner and validator programs for a compute network: one package, no server code, no Django.

Words it owns: keypair, signed request, workload, lease and sample as they travel. The server imports
`neurons.keys`, `neurons.protocol` and `neurons.workloads`, so that both ends share one definition of
every signed byte; nothing here imports the server.
"""
