"""One file per command of the command line. Each is imported only when it is called."""
