"""For all tests: a property is right or wrong, however long a busy machine takes to say so."""

from hypothesis import settings

settings.register_profile("naru", deadline=None)
settings.load_profile("naru")
