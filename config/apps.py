"""The staff's admin site stands at /admin/; owners have their own at /owner/ (subnets.admin)."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "config.staff.StaffSite"
