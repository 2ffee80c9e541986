"""`python -m spanserve.cli`: so `up` of the previous release starts workers, also once this one is installed."""

from spanserve.cli.main import main

main()
