// Command entente is a node with which nations share threat intelligence under enforced labels.
package main

import (
	"os"

	"entente/internal/cli"
)

func main() { os.Exit(cli.Main()) }
