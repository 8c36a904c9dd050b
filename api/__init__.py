"""The edge: settings, HTTP, the command line and the chat page."""
