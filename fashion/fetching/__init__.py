"""Download photographs from untrusted URLs: within limits, and never from the local network unless allowed."""
