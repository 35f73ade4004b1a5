"""The small language model on this host: known model files, and llama.cpp in a child process that may die alone."""
