"""From a finished run to a folder that answers without it."""
