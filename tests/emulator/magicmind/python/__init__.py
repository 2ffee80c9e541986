"""As in the SDK: everything lies below `python`."""
