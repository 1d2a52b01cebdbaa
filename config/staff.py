"""The staff's admin site."""

from django.contrib.admin import AdminSite


class StaffSite(AdminSite):
    site_header = site_title = "Marketplace staff"
    index_title = "Operate the marketplace"
