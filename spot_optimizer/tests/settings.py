"""
The environment of a test run, then the settings themselves: nothing in them is replaced.

Secrets here open nothing. DATABASE_URL and REDIS_URL, where set, choose the real services.
"""

import os

from spot_optimizer.tests.services import isolate_worker

isolate_worker()
os.environ["ENV"] = "TEST"
os.environ["SECRET_KEY"] = "tests-only-" + "s" * 40
os.environ["JWT_SECRET_KEY"] = "tests-only-" + "j" * 40
os.environ["ENCRYPTION_KEY"] = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="
os.environ["EVENTBRIDGE_SECRET"] = "tests-only-" + "e" * 40
os.environ["BCRYPT_ROUNDS"] = "4"  # one test loads the real work factor
os.environ["THROTTLE_REGISTER"] = "100000/min"
os.environ["THROTTLE_API"] = "100000/min"
os.environ.pop("AWS_ENDPOINT_URL", None)
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]  # nobody's real credentials may reach a test

from spot_optimizer.settings import *  # noqa: E402, F403

VAR_DIR.mkdir(parents=True, exist_ok=True)  # noqa: F405  # a fresh clone has none
