"""Addresses of the compute API, below /api/v1/."""

from django.urls import path

from compute.api import serving, views

urlpatterns = [
    path("machines/", views.MachinesView.as_view(), name="api-machines"),
    path("machines/<uuid:machine_id>/lease/", views.LeaseView.as_view(), name="api-lease"),
    path("machines/<uuid:machine_id>/leases/", views.LeasesView.as_view(), name="api-leases"),
    path("leases/<uuid:lease_id>/result/", views.ResultView.as_view(), name="api-result"),
    path("results/", views.ResultsView.as_view(), name="api-results"),
    path("samples/", views.SamplesView.as_view(), name="api-samples"),
    path("scores/", views.ScoresView.as_view(), name="api-scores"),
    path(
        "subnets/<int:netuid>/commitments/",
        views.CommitmentsView.as_view(),
        name="api-commitments",
    ),
    path("subnets/<int:netuid>/models/", serving.ModelsView.as_view(), name="api-models"),
    path("usage/", serving.UsagesView.as_view(), name="api-usage"),
    path("usage/<uuid:usage_id>/report/", serving.ReportView.as_view(), name="api-report"),
    path("reports/", serving.ReportsView.as_view(), name="api-reports"),
    path("jobs/", views.JobsView.as_view(), name="api-jobs"),
    path("jobs/batch/", views.OrdersView.as_view(), name="api-orders"),
    path("jobs/<uuid:job_id>/", views.JobView.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/cancel/", views.CancelJobView.as_view(), name="api-cancel-job"),
    path("hotkeys/me/", views.StandingsView.as_view(), name="api-hotkey-me"),
]
