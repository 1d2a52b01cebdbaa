"""An owner at the console: signed in, with a subnet, and pages to read and post."""

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from subnets import operations, queries
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import Subnet
from tests import make

GOOD = {
    "format": 1,
    "title": "Good work",
    "score": "quality",
    "shaping": {"kind": "linear"},
}
PAGES = ("subnet", "incentiverule", "epoch", "neuron", "hyperparameterchange")
SIGN_IN = "allauth.account.auth_backends.AuthenticationBackend"


def signed_in(user):
    """Return a browser in which somebody is signed in."""
    client = Client()
    client.force_login(user, backend=SIGN_IN)
    return client


class Owner:
    """Somebody signed in who holds one subnet."""

    def __init__(self, name):
        now = timezone.now()
        self.user = make.user(email=f"{name}@example.com")
        make.funded(self.user.pk, tao=10_000, now=now)
        self.netuid = make.subnet(self.user.pk, name=f"{name}’s subnet", now=now)
        self.client = signed_in(self.user)

    @property
    def subnet(self):
        return Subnet.objects.get(pk=self.netuid)

    @property
    def rule(self):
        """Return the newest version."""
        return queries.rules_of(self.netuid)[0]

    def get(self, page, *args):
        return self.client.get(reverse(f"owner:{page}", args=args))

    def post(self, page, *args, **fields):
        return self.client.post(reverse(f"owner:{page}", args=args), fields)

    def draft(self, document=GOOD):
        return operations.save_draft(
            netuid=self.netuid, owner=self.user.pk, document=document, now=timezone.now()
        )

    def words(self, **changed):
        """Return the whole form of the subnet as the page would send it."""
        subnet = self.subnet
        fields = {
            "name": subnet.name,
            "summary": subnet.summary,
            "description": subnet.description,
            "repository_url": subnet.repository_url,
        }
        owners = [row.name for row in HYPERPARAMETERS if row.who is Authority.OWNER]
        fields |= {name: subnet.hyperparameters[name] for name in owners}
        return fields | changed


def errors(answer):
    """Return the sentences of a form that was not accepted."""
    form = answer.context["adminform"].form
    return [
        str(line) for lines in form.errors.as_data().values() for error in lines for line in error
    ]
