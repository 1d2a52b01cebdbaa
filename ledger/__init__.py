"""Whose money, moved why.

Words it owns: account, entry, transfer, debit, credit, hold, post, void, statement, trial balance.
It may import nothing of the house.
"""
