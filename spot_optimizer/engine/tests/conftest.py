from hypothesis import settings

# Random examples would fail only sometimes, and a deadline would fail on a busy machine.
settings.register_profile("steady", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=3000)
settings.load_profile("steady")
