"""Two consoles: staff read everything at /admin/; an owner runs their own subnets at /owner/.

Nothing here writes rows: what an owner changes goes through `subnets.operations`.
"""

from subnets.admin import owner, owner_backtest, owner_rules, staff
from subnets.admin.site import owner_site

__all__ = ["owner", "owner_backtest", "owner_rules", "owner_site", "staff"]
