"""The one command, `spanserve`. Subcommands live with their owners and are loaded when they are called."""
