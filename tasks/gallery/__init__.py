"""The pages on which a run's dialogues are looked at: served on this machine, or written as a folder of files."""
