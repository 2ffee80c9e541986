"""What both halves of the SDK share."""
