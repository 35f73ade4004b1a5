"""What stands beside the gateway in a measurement: how each is set up, started and asked whether it is ready."""
