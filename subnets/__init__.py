"""Slots, owners, neurons, stake, incentive rules, consensus, epochs, emission.

Words it owns: subnet, netuid, owner, hotkey, neuron, uid, stake, rule, weights, tempo, epoch, emission.
It may import ledger. The package itself imports no Django, so that `python -m subnets.audit` runs without it.
"""
