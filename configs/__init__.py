"""The configurations that come with the program: one TOML file each, named on the command line without ``.toml``."""
