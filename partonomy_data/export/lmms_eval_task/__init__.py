"""What an export for lmms-eval puts beside its data: `utils.py` and the shared part of the tasks' YAML. Copied as it is."""
