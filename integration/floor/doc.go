// Command floor does the least that a command of kvnet can do: it starts,
// connects, makes the bare calls and the bare dumps, looks at nothing and
// prints nothing. `make bench` holds kvnet against it.
package main
