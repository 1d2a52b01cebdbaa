"""Settings of the test suite: the real thing, with cheap passwords and no static manifest."""

import os

os.environ.setdefault("SECRET_KEY", "a-key-for-tests-only")
os.environ.setdefault("REPEAT_CHATS", "0")  # as the line below
os.environ.setdefault("REPLICATE_JOBS", "0")  # tests that are about them turn them on
os.environ.setdefault("CHAIN", "rehearsal")
os.environ.setdefault("STAFF_SECOND_FACTOR", "0")  # likewise
# Each parallel worker of the suite has a Redis database of its own, so that one may clear its cache.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
_redis = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0").rsplit("/", 1)[0]
os.environ["REDIS_URL"] = f"{_redis}/{int(_worker) + 1}"

from config.settings import *  # noqa: E402, F403
from config.settings import STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Static files are found where they lie; without this the middleware warns of the folder nobody collected into.
WHITENOISE_AUTOREFRESH = True
# A code is read, and typed a moment later: one in a hundred sign-ins of the suite met the end of its thirty seconds. Here
# the one before is good too; in earnest it is not, since allauth remembers for thirty seconds which codes were used.
MFA_TOTP_TOLERANCE = 1
