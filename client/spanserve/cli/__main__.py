"""`python -m spanserve.cli`, for programs that start another command of the same installation."""

from spanserve.cli.main import main

main()
