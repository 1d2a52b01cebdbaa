"""People, auctions, purchases, cards, pages: where subnets are bought and operated.

Words it owns: user, auction, bid, maximum, sale, deposit. It may import compute, subnets and ledger.
"""
