"""`python -m spanserve`, where the script is not on PATH; so commands start others of the same installation."""

from spanserve.cli.main import main

main()
