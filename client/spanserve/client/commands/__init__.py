"""The client's subcommands, one per file, and the options they share."""
