"""Addresses of the subnets API, below /api/v1/."""

from django.urls import path

from subnets.api import hyperparameters, rules, views
from subnets.api.explain import ExplanationView

urlpatterns = [
    path("hotkeys/challenges/", views.ChallengeView.as_view(), name="api-challenges"),
    path("hotkeys/", views.LinkView.as_view(), name="api-hotkeys"),
    path("epochs/", views.EpochsView.as_view(), name="api-epochs"),
    path("subnets/", views.SubnetsView.as_view(), name="api-subnets"),
    path("subnets/<int:netuid>/", views.SubnetView.as_view(), name="api-subnet"),
    path("subnets/<int:netuid>/metagraph/", views.MetagraphView.as_view(), name="api-metagraph"),
    path(
        "subnets/<int:netuid>/hyperparameters/",
        hyperparameters.HyperparametersView.as_view(),
        name="api-hyperparameters",
    ),
    path(
        "subnets/<int:netuid>/hyperparameters/changes/",
        hyperparameters.HyperparameterChangesView.as_view(),
        name="api-hyperparameter-changes",
    ),
    path("subnets/<int:netuid>/rules/", rules.RulesView.as_view(), name="api-rules"),
    path("subnets/<int:netuid>/rules/<int:version>/", rules.RuleView.as_view(), name="api-rule"),
    path("subnets/<int:netuid>/rules/check/", rules.RuleCheckView.as_view(), name="api-rule-check"),
    path("subnets/<int:netuid>/neurons/", views.NeuronsView.as_view(), name="api-neurons"),
    path("subnets/<int:netuid>/stake/", views.StakeView.as_view(), name="api-stake"),
    path("subnets/<int:netuid>/epochs/", views.EpochsView.as_view(), name="api-subnet-epochs"),
    path(
        "subnets/<int:netuid>/epochs/<int:number>/bundle.json",
        views.BundleView.as_view(),
        name="api-bundle",
    ),
    path(
        "subnets/<int:netuid>/epochs/<int:number>/neurons/<int:uid>/",
        ExplanationView.as_view(),
        name="api-explanation",
    ),
]
