"""`python -m spanserve.cli`: so `up` of the release before starts workers, also once this one is installed."""

from spanserve.cli.main import main

main()
