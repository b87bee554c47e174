"""`python -m naru` is `naru`."""

from naru.cli import main

raise SystemExit(main())
