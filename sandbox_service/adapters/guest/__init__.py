"""What runs inside a sandbox, in the process of the untrusted program itself: scripts, cells of a session, a shell.

Imported by the zygote before it forks; standard library alone. `script.run_script`, `cells.serve_cells` and
`shell.serve_shell` are called in the forked child, after every descriptor but 0, 1, 2 and the channel is closed.

The program shares the process with this code, so it can write to the channel what it likes, or close it. What comes
out of the channel is therefore the program's own word: a forged frame spoils the results of the program that forged it
and nothing else. The supervisor checks the size and the shape of each frame, takes nothing from it but forms to show
and the end of a cell, and learns how a program ended, what it used and whether it lives from the kernel.
"""
