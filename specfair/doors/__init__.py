"""What the plugin and the command line need beside themselves."""
