"""`python -m spanserve`, where the script is not on PATH."""

from spanserve.cli.main import main

main()
