"""Machines, jobs, leases, results, scores: the work and its proof.

Words it owns: machine, job, lease, result, score, blueprint, canary. It may import subnets and ledger.
"""
