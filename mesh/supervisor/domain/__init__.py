"""What a mesh of processes is and how it may change. Pure: no processes, files, clocks or sockets here."""
