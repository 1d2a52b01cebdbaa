from django.apps import AppConfig


class SubnetsConfig(AppConfig):
    name = "subnets"
