"""The words of the gateway: values, ports, errors and the one door out. Knows no I/O and no third party."""
