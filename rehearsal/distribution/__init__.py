"""Software a rehearsal installs on its hosts, made here because no registry offers it ready."""
