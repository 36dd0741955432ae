"""The systems that Watchkeeper works with: what they speak, how they are signed in, what is tried again."""
